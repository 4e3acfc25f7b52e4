//! Consent and suppression as nodes: who may not be approached, whoever asks.

use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, col, lit};
use hyperseg_dsl::clock::Clock;
use hyperseg_dsl::schema::{Channel, Class, Field, Purpose, RecordKind};
use hyperseg_dsl::segment::{AgeUnit, Cap, Segment, Window};
use hyperseg_dsl::value::Value;
use hyperseg_storage::layout::known_column;

use super::records::{not_after, not_hidden};
use super::time::stretch;
use super::{Lowering, fields, node};
use crate::plan::ops::Operation;
use crate::plan::ops::consent::Consent;
use crate::plan::ops::record_set::CountTest;
use crate::report::Reason;

/// Age from which a contact is no minor.
const ADULT_YEARS: u32 = 18;

/// Gates look at the present: the later of as_of and now.
pub(crate) fn gate_clock(clock: &Clock, now_micros: i64) -> Clock {
    Clock { as_of_micros: clock.as_of_micros.max(now_micros), zone: clock.zone }
}

/// The gates that a release for this purpose on this channel passes, in waterfall order.
pub(crate) fn required_reasons(purpose: Purpose, channel: Channel) -> Vec<Reason> {
    let mut reasons = vec![Reason::Deceased, Reason::NoAddress];
    if channel == Channel::Email {
        reasons.extend([Reason::HardBounce, Reason::Complaint, Reason::Unsubscribed]);
    }
    reasons.push(Reason::NoConsent);
    if purpose.adults_only() {
        reasons.push(Reason::Minor);
    }
    reasons
}

impl Lowering<'_> {
    /// The criteria behind the author's exclusion, every gate that purpose and channel ask for, and what the segments in
    /// front of it in a portfolio, by these names, have taken.
    pub(crate) fn gate(
        &self,
        segment: &Segment,
        (purpose, channel): (Purpose, Channel),
        gate_clock: Clock,
        higher: &[&str],
    ) -> Result<LogicalPlan> {
        let mut inputs = vec![self.criteria(segment)?];
        let mut reasons = Vec::new();
        if let Some(exclude) = &segment.exclude {
            inputs.push(self.criterion(&format!("exclude {}", exclude.label), &exclude.test)?);
            reasons.push(Reason::Excluded);
        }
        // The gates are lowered at their own clock.
        let present = Lowering { clock: gate_clock, ..*self };
        for reason in required_reasons(purpose, channel) {
            inputs.push(present.blocked(reason, purpose, channel)?);
            reasons.push(reason);
        }
        for (place, name) in higher.iter().enumerate() {
            inputs.push(node(Operation::Taken(place), format!("taken by {name}"), Vec::new(), Vec::new()));
            reasons.push(Reason::Taken);
        }
        if let Some(cap) = &segment.cap {
            inputs.push(present.capped(cap, channel)?);
            reasons.push(Reason::FrequencyCap);
        }
        let label = format!("{channel} for {purpose}");
        Ok(node(Operation::Gate(reasons), label, Vec::new(), inputs))
    }

    fn blocked(&self, reason: Reason, purpose: Purpose, channel: Channel) -> Result<LogicalPlan> {
        match reason {
            Reason::Deceased => {
                self.contact_gate(reason, Class::Demographic, col("deceased_on").is_not_null())
            }
            Reason::NoAddress => {
                let address = channel.address_field();
                let missing = if address == "contact_id" {
                    col(address).is_null()
                } else {
                    !col(known_column(address))
                };
                self.contact_gate(reason, Class::Identity, missing)
            }
            Reason::HardBounce => {
                let kind = self.kind("email_bounce")?;
                let hard = col("bounce").eq(lit(place(kind, "bounce", "hard")?));
                self.record_gate(reason, kind, vec![hard])
            }
            Reason::Complaint => self.record_gate(reason, self.kind("email_complaint")?, Vec::new()),
            Reason::Unsubscribed => self.record_gate(reason, self.kind("email_unsubscribe")?, Vec::new()),
            Reason::NoConsent => self.consent_gate(purpose, channel),
            Reason::Minor => {
                let adult = fields::age_in(AgeUnit::Years, self.clock.today(), vec![(ADULT_YEARS, u32::MAX)]);
                self.contact_gate(reason, Class::Demographic, adult.is_not_true())
            }
            Reason::Excluded
            | Reason::Taken
            | Reason::FrequencyCap
            | Reason::OnePer
            | Reason::NotSampled
            | Reason::OverLimit
            | Reason::Holdout => Err(internal_datafusion_err!("not a gate of its own")),
        }
    }

    /// Who was approached too often on the channel. What is not known counts, as it does for consent.
    fn capped(&self, cap: &Cap, channel: Channel) -> Result<LogicalPlan> {
        let kind = self.kind("delivery")?;
        let recent = stretch(&Window::InLast(cap.per), &self.clock)?.time_test(&col("at"));
        let own = col("channel").eq(lit(place(kind, "channel", channel.name())?));
        let tests = [
            not_after(&self.clock),
            recent.is_not_false(),
            col("channel").is_null().or(own),
            not_hidden(kind, "status", &[category("entered_in_error")])?,
        ];
        let mut scan = self.tables.record_scan(kind, &[kind.class], &[])?;
        if let Some(tests) = conjunction(tests) {
            scan = scan.filter(tests)?;
        }
        let label = format!("gate {}", Reason::FrequencyCap.name());
        let operation = Operation::CountRecords(CountTest(vec![(cap.count, u32::MAX)]));
        Ok(node(operation, label, vec![lit(true)], vec![scan.build()?]))
    }

    pub(super) fn kind(&self, name: &str) -> Result<&RecordKind> {
        self.schema().record(name).ok_or_else(|| internal_datafusion_err!("the schema lacks the kind {name}"))
    }

    fn contact_gate(&self, reason: Reason, class: Class, blocked: Expr) -> Result<LogicalPlan> {
        let scan = self.tables.contact_scan(class, &[])?.build()?;
        Ok(node(Operation::FieldSet, format!("gate {}", reason.name()), vec![blocked], vec![scan]))
    }

    fn record_gate(&self, reason: Reason, kind: &RecordKind, mut tests: Vec<Expr>) -> Result<LogicalPlan> {
        tests.push(not_after(&self.clock));
        tests.push(not_hidden(kind, "status", &[category("entered_in_error")])?);
        let mut scan = self.tables.record_scan(kind, &[kind.class], &[])?;
        if let Some(tests) = conjunction(tests) {
            scan = scan.filter(tests)?;
        }
        let label = format!("gate {}", reason.name());
        Ok(node(Operation::HasRecord, label, vec![lit(true)], vec![scan.build()?]))
    }

    fn consent_gate(&self, purpose: Purpose, channel: Channel) -> Result<LogicalPlan> {
        let kind = self.kind("consent")?;
        let concerns = |name: &str, value: &str| -> Result<Expr> {
            Ok(col(name).is_null().or(col(name).eq(lit(place(kind, name, value)?))))
        };
        let mut tests = vec![concerns("channel", channel.name())?, concerns("purpose", purpose.name())?];
        tests.push(not_after(&self.clock));
        tests.push(not_hidden(kind, "status", &[category("draft"), category("entered_in_error")])?);
        tests.push(not_hidden(kind, "decision", &[category("pending")])?);
        // A grant that is limited to something says nothing.
        let grant = place(kind, "decision", "grant")?;
        let refusal = col("decision").is_null().or(col("decision").not_eq(lit(grant)));
        tests.push(refusal.clone().or(col("scope").is_null()).or(col("scope").eq(lit("all"))));
        let scan_of = |tests: Vec<Expr>| -> Result<LogicalPlan> {
            let mut scan = self.tables.record_scan(kind, &[kind.class], &[])?;
            if let Some(tests) = conjunction(tests) {
                scan = scan.filter(tests)?;
            }
            scan.build()
        };
        let label = format!("gate {}", Reason::NoConsent.name());
        let consent = Consent {
            needs_grant: purpose.needs_authorization(),
            grant,
            as_of_micros: self.clock.as_of_micros,
            zone: self.clock.zone,
        };
        let all = scan_of(tests.clone())?;
        let blocks = node(Operation::ConsentBlocks(consent), label.clone(), vec![lit(true)], vec![all]);
        if consent.needs_grant {
            return Ok(blocks);
        }
        // Where silence is consent, only who has refused something can be forbidden to approach.
        tests.push(refusal);
        let refused = scan_of(tests)?;
        let refused = node(Operation::HasRecord, format!("{label}: refused"), vec![lit(true)], vec![refused]);
        Ok(node(Operation::Narrow, label, Vec::new(), vec![refused, blocks]))
    }
}

fn category(name: &str) -> Value {
    Value::Category(name.to_owned())
}

/// Stored number of a category of a record's field.
fn place(kind: &RecordKind, field: &str, category: &str) -> Result<i16> {
    let categories = kind.field(field).map(|field: &Field| &field.categories);
    let place = categories.and_then(|known| known.iter().position(|name| name == category));
    place
        .and_then(|place| i16::try_from(place).ok())
        .ok_or_else(|| internal_datafusion_err!("the schema lacks the category {category}"))
}

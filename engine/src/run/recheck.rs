//! Consent and suppression once more, recipient by recipient, before anything is released.
//!
//! The plan's gate works on bitmaps; this check reads the same columns again without DataFusion and has the reference
//! semantics judge each recipient. The two share no code. One disagreement, and nothing is released.

pub(super) mod list;
mod rows;

use arrow::array::{
    Array, DictionaryArray, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::datatypes::Int32Type;
use hyperseg_dsl::schema::{Channel, Class, Purpose, RecordKind};
use hyperseg_dsl::semantics::{Consent, Delivery, Facts, Suppression, capped, judge};
use hyperseg_dsl::value::{DateRange, unpack_date_range, unpack_time};
use hyperseg_storage::layout::ORDINAL;
use hyperseg_storage::{Dataset, KeyScope, Snapshot};

use self::rows::{Gathered, Part, Recipients, ranges, refused_by};
use crate::error::{Error, Result};
use crate::request::Request;

/// Kinds of record that suppress e-mail.
const SUPPRESSIONS: [&str; 3] = ["email_bounce", "email_complaint", "email_unsubscribe"];

/// What the check reads with.
pub(super) struct Recheck<'a> {
    pub(super) dataset: &'a Dataset,
    pub(super) snapshot: &'a Snapshot,
    pub(super) scope: &'a KeyScope,
    pub(super) request: &'a Request,
    pub(super) purpose: Purpose,
    pub(super) channel: Channel,
}

/// A consent record: categories by number, the rest as stored.
struct StoredConsent {
    at: i64,
    end: Option<i64>,
    status: Option<u16>,
    channel: Option<u16>,
    purpose: Option<u16>,
    decision: Option<u16>,
    scope: Option<&'static str>,
}

/// An approach of before.
struct StoredDelivery {
    at: i64,
    status: Option<u16>,
    channel: Option<u16>,
}

/// A bounce, complaint or cancellation.
struct StoredSuppression {
    /// Place among [`SUPPRESSIONS`].
    kind: usize,
    at: i64,
    status: Option<u16>,
    bounce: Option<u16>,
}

impl<'a> Recheck<'a> {
    /// Judges every recipient of a shard; `rows` are the list's rows of that shard, still as stored.
    pub(super) fn shard(&self, shard: u32, rows: &RecordBatch) -> Result<()> {
        let ordinals: &UInt32Array = column(rows, ORDINAL)?;
        let addresses: &StringArray = column(rows, self.channel.address_field())?;
        let contacts = self.snapshot.shards().get(shard as usize).map_or(0, |shard| shard.contacts);
        let recipients = Recipients::new(ordinals.values(), contacts)?;
        let dates = self.dates(shard, &recipients)?;
        let mut consents = Gathered::new(self.consents(shard, &recipients)?);
        let mut suppressions = Vec::new();
        if self.channel == Channel::Email {
            for kind in 0..SUPPRESSIONS.len() {
                self.suppressions(shard, kind, &recipients, &mut suppressions)?;
            }
        }
        let mut suppressions = Gathered::new(suppressions);
        let mut deliveries = Gathered::new(self.deliveries(shard, &recipients)?);
        let of_deliveries = Names::of(self.kind("delivery")?, &["status", "channel"])?;
        let of_consents = Names::of(self.kind("consent")?, &["status", "channel", "purpose", "decision"])?;
        let of_suppressions = SUPPRESSIONS
            .iter()
            .map(|kind| Names::of(self.kind(kind)?, &["status", "bounce"]))
            .collect::<Result<Vec<_>>>()?;
        let (mut blocked, mut facts) = (0_u64, Facts::default());
        for (place, (deceased_on, birth_date)) in (0..).zip(dates) {
            facts.deceased_on = deceased_on;
            facts.birth_date = birth_date;
            facts.has_address = addresses.is_valid(place as usize);
            facts.consents.clear();
            for stored in consents.of(place) {
                facts.consents.push(Consent {
                    at: unpack_time(stored.at).ok_or_else(unreadable)?,
                    end: stored.end.map(|end| unpack_time(end).ok_or_else(unreadable)).transpose()?,
                    status: of_consents.get(0, stored.status)?,
                    channel: of_consents.get(1, stored.channel)?,
                    purpose: of_consents.get(2, stored.purpose)?,
                    decision: of_consents.get(3, stored.decision)?,
                    scope: stored.scope,
                });
            }
            facts.suppressions.clear();
            for stored in suppressions.of(place) {
                let names = of_suppressions.get(stored.kind).ok_or_else(unreadable)?;
                facts.suppressions.push(Suppression {
                    kind: SUPPRESSIONS.get(stored.kind).ok_or_else(unreadable)?,
                    at: unpack_time(stored.at).ok_or_else(unreadable)?,
                    status: names.get(0, stored.status)?,
                    bounce: names.get(1, stored.bounce)?,
                });
            }
            facts.deliveries.clear();
            for stored in deliveries.of(place) {
                facts.deliveries.push(Delivery {
                    at: unpack_time(stored.at).ok_or_else(unreadable)?,
                    status: of_deliveries.get(0, stored.status)?,
                    channel: of_deliveries.get(1, stored.channel)?,
                });
            }
            let (clock, now_micros) = (&self.request.clock, self.request.now_micros);
            let channel = Some(self.channel);
            let reason = judge(&facts, Some(self.purpose), channel, clock, now_micros);
            let cap = self.request.segment.segment().cap.as_ref();
            let over = cap.is_some_and(|cap| capped(cap, &facts.deliveries, channel, clock, now_micros));
            blocked += u64::from(reason.is_some() || over);
        }
        if !consents.is_used_up() || !suppressions.is_used_up() || !deliveries.is_used_up() {
            return Err(unreadable());
        }
        if blocked > 0 { Err(Error::Recheck { contacts: blocked }) } else { Ok(()) }
    }

    /// The days that death and birth of the recipients can be. The files of a shard hold its contacts in order, one row each.
    fn dates(
        &self,
        shard: u32,
        recipients: &Recipients<'_>,
    ) -> Result<Vec<(Option<DateRange>, Option<DateRange>)>> {
        let names: &[&str] =
            if self.purpose.adults_only() { &["deceased_on", "birth_date"] } else { &["deceased_on"] };
        let mut first = 0_u64;
        let mut dates = Vec::with_capacity(recipients.ordinals.len());
        for entry in self.snapshot.contact_files(Class::Demographic, shard)? {
            let end = first.saturating_add(entry.rows);
            let here = recipients.ordinals.partition_point(|&ordinal| u64::from(ordinal) < end);
            let rows = ranges(recipients.ordinals.get(dates.len()..here).unwrap_or_default(), first);
            for batch in self.scope.read(self.dataset, entry, names, Some(rows))? {
                let batch = batch?;
                for row in 0..batch.num_rows() {
                    let died = date(&batch, "deceased_on", row)?;
                    let born =
                        if self.purpose.adults_only() { date(&batch, "birth_date", row)? } else { None };
                    dates.push((died, born));
                }
            }
            if dates.len() != here {
                return Err(unreadable());
            }
            first = end;
        }
        if dates.len() == recipients.ordinals.len() { Ok(dates) } else { Err(unreadable()) }
    }

    fn consents(&self, shard: u32, recipients: &Recipients<'_>) -> Result<Vec<(u32, StoredConsent)>> {
        let kind = self.kind("consent")?;
        let columns = [ORDINAL, "at", "status", "channel", "purpose", "decision", "scope", "end"];
        let own = ("channel", place(kind, "channel", self.channel.name())?);
        let mut found = Vec::with_capacity(recipients.ordinals.len());
        let mut files = Vec::new();
        for entry in self.snapshot.record_files(&kind.name, shard, &[kind.class])? {
            files.push(Part::of(self.scope.open(self.dataset, entry)?, own, recipients));
        }
        let refused;
        let concerned = if self.purpose.needs_authorization() {
            recipients
        } else {
            // Where silence is consent, grants say nothing by themselves.
            refused = refused_by(kind, &files, recipients, self.purpose)?;
            files = files.into_iter().map(|file| Part::of(file.open, own, &refused)).collect();
            &refused
        };
        for Part { open, rows } in files {
            let rows = concerned.rows(&open, rows)?;
            for batch in open.read_coded(&columns, Some(&rows))? {
                let batch = batch?;
                let at: &Int64Array = column(&batch, "at")?;
                let end: &Int64Array = column(&batch, "end")?;
                let scope = Scopes::of(&batch)?;
                let categories = |name| column::<Int16Array>(&batch, name);
                let (status, channel) = (categories("status")?, categories("channel")?);
                let (purpose, decision) = (categories("purpose")?, categories("decision")?);
                concerned.each(&batch, |row, place| {
                    let consent = StoredConsent {
                        at: number(at, row).ok_or_else(unreadable)?,
                        end: number(end, row),
                        status: category(status, row)?,
                        channel: category(channel, row)?,
                        purpose: category(purpose, row)?,
                        decision: category(decision, row)?,
                        scope: scope.get(row)?,
                    };
                    found.push((place, consent));
                    Ok(())
                })?;
            }
        }
        Ok(found)
    }

    fn suppressions(
        &self,
        shard: u32,
        kind: usize,
        recipients: &Recipients<'_>,
        found: &mut Vec<(u32, StoredSuppression)>,
    ) -> Result<()> {
        let name = *SUPPRESSIONS.get(kind).ok_or_else(unreadable)?;
        let bounces = name == "email_bounce";
        let columns: &[&str] =
            if bounces { &[ORDINAL, "at", "status", "bounce"] } else { &[ORDINAL, "at", "status"] };
        for entry in self.snapshot.record_files(name, shard, &[self.kind(name)?.class])? {
            let open = self.scope.open(self.dataset, entry)?;
            let rows = recipients.rows(&open, open.live(None))?;
            for batch in open.read(columns, Some(&rows))? {
                let batch = batch?;
                let at: &Int64Array = column(&batch, "at")?;
                let status: &Int16Array = column(&batch, "status")?;
                let bounce = if bounces { Some(column::<Int16Array>(&batch, "bounce")?) } else { None };
                recipients.each(&batch, |row, place| {
                    let suppression = StoredSuppression {
                        kind,
                        at: number(at, row).ok_or_else(unreadable)?,
                        status: category(status, row)?,
                        bounce: bounce.map(|bounce| category(bounce, row)).transpose()?.flatten(),
                    };
                    found.push((place, suppression));
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Approaches of before, when the segment caps them.
    fn deliveries(&self, shard: u32, recipients: &Recipients<'_>) -> Result<Vec<(u32, StoredDelivery)>> {
        let mut found = Vec::new();
        if self.request.segment.segment().cap.is_none() {
            return Ok(found);
        }
        let kind = self.kind("delivery")?;
        for entry in self.snapshot.record_files(&kind.name, shard, &[kind.class])? {
            let open = self.scope.open(self.dataset, entry)?;
            let rows = recipients.rows(&open, open.live(None))?;
            for batch in open.read(&[ORDINAL, "at", "status", "channel"], Some(&rows))? {
                let batch = batch?;
                let at: &Int64Array = column(&batch, "at")?;
                let status: &Int16Array = column(&batch, "status")?;
                let channel: &Int16Array = column(&batch, "channel")?;
                recipients.each(&batch, |row, place| {
                    let delivery = StoredDelivery {
                        at: number(at, row).ok_or_else(unreadable)?,
                        status: category(status, row)?,
                        channel: category(channel, row)?,
                    };
                    found.push((place, delivery));
                    Ok(())
                })?;
            }
        }
        Ok(found)
    }

    fn kind(&self, name: &str) -> Result<&'a RecordKind> {
        self.snapshot.schema().record(name).ok_or_else(unreadable)
    }
}

/// Number of a category.
fn place(kind: &RecordKind, field: &str, category: &str) -> Result<i64> {
    let categories = &kind.field(field).ok_or_else(unreadable)?.categories;
    let place = categories.iter().position(|known| known == category).ok_or_else(unreadable)?;
    i64::try_from(place).map_err(|_| unreadable())
}

/// What each row's scope is limited to does not matter, only whether it is.
enum Scopes<'b> {
    Texts(&'b StringArray),
    Coded(&'b Int32Array, Vec<Option<&'static str>>),
}

impl<'b> Scopes<'b> {
    fn of(batch: &'b RecordBatch) -> Result<Self> {
        if let Ok(texts) = column(batch, "scope") {
            return Ok(Self::Texts(texts));
        }
        let coded: &DictionaryArray<Int32Type> = column(batch, "scope")?;
        let texts: &StringArray = coded.values().as_any().downcast_ref().ok_or_else(unreadable)?;
        Ok(Self::Coded(coded.keys(), (0..texts.len()).map(|code| scope(texts, code)).collect()))
    }

    fn get(&self, row: usize) -> Result<Option<&'static str>> {
        match self {
            Self::Texts(texts) => Ok(scope(texts, row)),
            Self::Coded(codes, _) if codes.is_null(row) => Ok(None),
            Self::Coded(codes, scopes) => {
                let code = usize::try_from(codes.value(row)).map_err(|_| unreadable())?;
                scopes.get(code).copied().ok_or_else(unreadable)
            }
        }
    }
}

fn scope(texts: &StringArray, place: usize) -> Option<&'static str> {
    texts.is_valid(place).then(|| if texts.value(place) == "all" { "all" } else { "limited" })
}

/// Categories of the fields of a kind, by number.
struct Names<'a>(Vec<&'a [String]>);

impl<'a> Names<'a> {
    fn of(kind: &'a RecordKind, fields: &[&str]) -> Result<Self> {
        let names = |name: &&str| kind.field(name).map(|field| field.categories.as_slice());
        Ok(Self(fields.iter().map(names).collect::<Option<_>>().ok_or_else(unreadable)?))
    }

    /// The category of the field at this place.
    fn get(&self, field: usize, category: Option<u16>) -> Result<Option<&'a str>> {
        let Some(category) = category else { return Ok(None) };
        let name = self.0.get(field).and_then(|names| names.get(usize::from(category)));
        name.map(|name| Some(name.as_str())).ok_or_else(unreadable)
    }
}

fn category(places: &Int16Array, row: usize) -> Result<Option<u16>> {
    places.is_valid(row).then(|| u16::try_from(places.value(row)).map_err(|_| unreadable())).transpose()
}

fn number(column: &Int64Array, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| column.value(row))
}

fn date(batch: &RecordBatch, name: &str, row: usize) -> Result<Option<DateRange>> {
    let dates: &Int32Array = column(batch, name)?;
    dates.is_valid(row).then(|| unpack_date_range(dates.value(row)).ok_or_else(unreadable)).transpose()
}

fn column<'b, A: 'static>(batch: &'b RecordBatch, name: &str) -> Result<&'b A> {
    batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref()).ok_or_else(unreadable)
}

fn unreadable() -> Error {
    Error::Query { doing: "checking consent row by row", kind: "a column of another type" }
}

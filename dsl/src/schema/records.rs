//! Record kinds.

use super::{Class, Cluster, Family, Field, FieldType, RecordKind, Within, categories};

/// Values that mean a record never happened or is not meant yet.
const NOT_COUNTED: &[&str] = &["not_done", "cancelled", "entered_in_error", "draft"];

struct Kind {
    kind: RecordKind,
}

impl Kind {
    fn new(name: &str, class: Class, family: Family, statuses: &[&str]) -> Self {
        let mut all: Vec<&str> = statuses.to_vec();
        all.push("entered_in_error");
        let hidden: Vec<String> = all
            .iter()
            .filter(|status| NOT_COUNTED.contains(status))
            .map(|&status| status.to_owned())
            .collect();
        let kind = RecordKind {
            name: name.to_owned(),
            class,
            family,
            fields: Vec::new(),
            cluster: Cluster::Time,
            within: Within::Time,
            hidden: vec![("status".to_owned(), hidden)],
            ended: Vec::new(),
            schedule: false,
        };
        Self { kind }
            .field("record_id", FieldType::Text)
            .field("at", FieldType::Time)
            .field("recorded_at", FieldType::Time)
            .field("source", FieldType::Text)
            .category("status", &all)
    }

    fn field(mut self, name: &str, ty: FieldType) -> Self {
        let class = self.kind.class;
        self.kind.fields.push(Field { name: name.to_owned(), ty, class, categories: Vec::new() });
        self
    }

    fn fields(self, names: &[&str], ty: FieldType) -> Self {
        names.iter().fold(self, |kind, name| kind.field(name, ty))
    }

    fn category(mut self, name: &str, categories: &[&str]) -> Self {
        let class = self.kind.class;
        let categories = categories.iter().map(|&text| text.to_owned()).collect();
        self.kind.fields.push(Field { name: name.to_owned(), ty: FieldType::Category, class, categories });
        self
    }

    fn clustered(mut self, field: &str) -> Self {
        self.kind.cluster = Cluster::Field(field.to_owned());
        self
    }

    fn clustered_by_two(mut self, first: &str, second: &str) -> Self {
        self.kind.cluster = Cluster::Fields(first.to_owned(), second.to_owned());
        self
    }

    fn by_contact(mut self) -> Self {
        self.kind.within = Within::Contact;
        self
    }

    fn hide(mut self, field: &str, values: &[&str]) -> Self {
        self.kind.hidden.push((field.to_owned(), values.iter().map(|&text| text.to_owned()).collect()));
        self
    }

    fn ended(mut self, statuses: &[&str]) -> Self {
        self.kind.ended = statuses.iter().map(|&text| text.to_owned()).collect();
        self
    }

    fn schedule(mut self) -> Self {
        self.kind.schedule = true;
        self
    }
}

/// The record kinds in the order in which tables list them.
pub(super) fn kinds() -> Vec<RecordKind> {
    let mut kinds = clinical();
    kinds.extend(journey());
    kinds.extend(behavioural());
    kinds.into_iter().map(|kind| kind.kind).collect()
}

fn clinical() -> Vec<Kind> {
    use FieldType::{Code, Int, Number, Text, Time};
    let kind = |name, statuses: &[&str]| Kind::new(name, Class::Clinical, Family::Clinical, statuses);
    let observation = |name| {
        kind(name, &["final", "amended", "preliminary", "cancelled"])
            .field("code", Code)
            .field("value", Number)
            .category("comparator", &["<", "<=", ">", ">="])
            .field("unit", Text)
            .field("value_code", Code)
            .fields(&["range_low", "range_high"], Number)
            .category("interpretation", &["normal", "high", "low", "critical", "abnormal"])
            .field("encounter_id", Text)
            .clustered("code")
    };
    vec![
        kind("condition", &["active", "recurrence", "relapse", "remission", "resolved", "inactive"])
            .field("code", Code)
            .category("verification", &["confirmed", "provisional", "refuted"])
            .field("end", Time)
            .field("encounter_id", Text)
            .clustered("code")
            .hide("verification", &["refuted"])
            .ended(&["remission", "resolved", "inactive"]),
        kind("medication", &["active", "completed", "stopped", "on_hold", "draft", "cancelled"])
            .field("code", Code)
            .field("end", Time)
            .fields(&["days_supply", "refills"], Int)
            .field("encounter_id", Text)
            .clustered("code")
            .ended(&["completed", "stopped"]),
        kind("care_plan", &["active", "completed", "revoked", "draft"])
            .field("code", Code)
            .field("end", Time)
            .field("encounter_id", Text)
            .clustered("code")
            .ended(&["completed", "revoked"]),
        kind("procedure", &["completed", "in_progress", "not_done"])
            .field("code", Code)
            .field("end", Time)
            .field("encounter_id", Text)
            .clustered("code"),
        observation("lab"),
        observation("vital"),
        kind("encounter", &["finished", "in_progress", "cancelled"])
            .field("encounter_id", Text)
            .category("class", &["ambulatory", "emergency", "inpatient", "virtual", "home", "observation"])
            .field("type", Code)
            .field("end", Time)
            .fields(&["provider", "site", "discharge_to"], Text)
            .field("reason", Code)
            .clustered("class"),
        kind("immunization", &["completed", "not_done"])
            .field("code", Code)
            .field("dose", Int)
            .field("status_reason", Text)
            .field("encounter_id", Text)
            .clustered("code"),
        kind("allergy", &["active", "inactive", "resolved"])
            .field("code", Code)
            .category("criticality", &["low", "high", "unable_to_assess"])
            .field("end", Time)
            .field("encounter_id", Text)
            .clustered("code")
            .ended(&["inactive", "resolved"]),
    ]
}

fn journey() -> Vec<Kind> {
    use FieldType::{Bool, Date, Money, Text, Time};
    let kind = |name, statuses: &[&str]| Kind::new(name, Class::Journey, Family::Journey, statuses);
    let mut appointment = kind("appointment", &["booked", "kept", "no_show", "cancelled", "rescheduled"])
        .field("booked_at", Time)
        .category("specialty", categories::SPECIALTY)
        .fields(&["provider", "site"], Text)
        .field("confirmed", Bool)
        .clustered("status")
        .schedule();
    appointment.kind.hidden =
        vec![("status".to_owned(), vec!["cancelled".to_owned(), "entered_in_error".to_owned()])];
    vec![
        Kind::new("coverage", Class::Demographic, Family::Journey, &["active", "cancelled", "draft"])
            .fields(&["payer", "plan"], Text)
            .category("type", categories::INSURANCE)
            .field("member_id", Text)
            .field("end", Time),
        appointment,
        kind("referral", &["requested", "scheduled", "completed", "cancelled"])
            .category("specialty", categories::SPECIALTY)
            .fields(&["provider", "site"], Text),
        kind("visit", &["kept", "cancelled"]).fields(&["provider", "site"], Text),
        kind("bill", &["open", "paid", "denied"])
            .fields(&["amount", "balance"], Money)
            .field("due_on", Date)
            .clustered("status"),
    ]
}

fn behavioural() -> Vec<Kind> {
    use FieldType::{Bool, Date, Money, Number, Text, Time};
    let kind = |name, statuses: &[&str]| Kind::new(name, Class::Behavioural, Family::Behavioural, statuses);
    let message = |name| {
        kind(name, &["done"])
            .fields(&["campaign", "step", "message_id", "url"], Text)
            .field("machine", Bool)
            .category("bounce", &["hard", "soft"])
    };
    let mut kinds: Vec<Kind> = ["email_sent", "email_delivered"].map(message).into();
    kinds.push(message("email_open").hide("machine", &["true"]));
    kinds.extend(
        [
            "email_click",
            "email_bounce",
            "email_complaint",
            "email_unsubscribe",
            "sms_sent",
            "sms_reply",
            "call",
        ]
        .map(message),
    );
    kinds.extend(
        [
            "portal_login",
            "page_view",
            "form_start",
            "form_complete",
            "download",
            "survey_response",
            "list_signup",
            "event_signup",
        ]
        .map(|name| kind(name, &["done"]).fields(&["name", "url", "campaign"], Text).field("value", Number)),
    );
    kinds.extend(["purchase", "order"].map(|name| {
        kind(name, &["placed", "shipped", "delivered", "returned", "cancelled"])
            .fields(&["sku", "category"], Text)
            .field("amount", Money)
            .field("next_due", Date)
    }));
    kinds.push(
        kind("event", &["done"])
            .fields(&["kind", "name", "url", "campaign"], Text)
            .field("value", Number)
            .clustered("kind"),
    );
    kinds.push(
        Kind::new("consent", Class::Consent, Family::Journey, &["active", "draft"])
            .category("channel", &["email", "sms", "voice", "mail", "push"])
            .category(
                "purpose",
                &[
                    "treatment",
                    "operations",
                    "payment",
                    "marketing",
                    "marketing_paid",
                    "fundraising",
                    "research",
                ],
            )
            .field("scope", Text)
            .category("decision", &["grant", "deny", "revoke", "pending"])
            .field("basis", Text)
            .field("end", Time)
            .field("document", Text)
            // Gates ask who refused, then for all that those said, and never for a time.
            .clustered_by_two("channel", "decision")
            .by_contact(),
    );
    kinds.push(
        kind("delivery", &["released"])
            .fields(&["list", "segment", "campaign", "step"], Text)
            .category("channel", &["email", "sms", "voice", "mail", "push"]),
    );
    kinds
}

//! The record kinds as an enum, so that a misspelt kind does not compile.

macro_rules! kinds {
    ($($variant:ident = $name:literal, $errors:literal;)+) => {
        /// A record kind of the built-in schema.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind { $(#[doc = $name] $variant),+ }

        impl Kind {
            /// Every kind, in the order of the discriminants.
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Name in the schema.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// How many of ten thousand rows are marked as entered in error; more for rare kinds, so that small
            /// populations have some.
            pub(super) const fn errors_per_myriad(self) -> u32 {
                match self { $(Self::$variant => $errors),+ }
            }
        }
    };
}

kinds! {
    Condition = "condition", 30;
    Medication = "medication", 30;
    CarePlan = "care_plan", 100;
    Procedure = "procedure", 30;
    Lab = "lab", 30;
    Vital = "vital", 30;
    Encounter = "encounter", 30;
    Immunization = "immunization", 30;
    Allergy = "allergy", 100;
    Coverage = "coverage", 50;
    Appointment = "appointment", 30;
    Referral = "referral", 100;
    Visit = "visit", 50;
    Bill = "bill", 50;
    EmailSent = "email_sent", 10;
    EmailDelivered = "email_delivered", 10;
    EmailOpen = "email_open", 10;
    EmailClick = "email_click", 20;
    EmailBounce = "email_bounce", 100;
    EmailComplaint = "email_complaint", 600;
    EmailUnsubscribe = "email_unsubscribe", 200;
    SmsSent = "sms_sent", 20;
    SmsReply = "sms_reply", 100;
    Call = "call", 100;
    PortalLogin = "portal_login", 10;
    PageView = "page_view", 10;
    FormStart = "form_start", 50;
    FormComplete = "form_complete", 50;
    Download = "download", 100;
    SurveyResponse = "survey_response", 100;
    ListSignup = "list_signup", 100;
    EventSignup = "event_signup", 100;
    Purchase = "purchase", 100;
    Order = "order", 100;
    Event = "event", 50;
    Consent = "consent", 30;
    Delivery = "delivery", 50;
}

impl Kind {
    /// The source knows moments of this kind to the day only.
    pub(super) const fn day_only(self) -> bool {
        matches!(self, Self::Condition | Self::Medication | Self::Coverage)
    }

    /// The system that rows of this kind usually come from, and the other one.
    pub(super) const fn sources(self) -> [&'static str; 2] {
        match self {
            Self::Condition
            | Self::Medication
            | Self::CarePlan
            | Self::Procedure
            | Self::Lab
            | Self::Vital
            | Self::Encounter
            | Self::Immunization
            | Self::Allergy => ["ehr", "ehr_legacy"],
            Self::Appointment | Self::Referral | Self::Visit => ["scheduling", "ehr"],
            Self::Coverage | Self::Bill => ["billing", "claims"],
            Self::EmailSent
            | Self::EmailDelivered
            | Self::EmailOpen
            | Self::EmailClick
            | Self::EmailBounce
            | Self::EmailComplaint
            | Self::EmailUnsubscribe
            | Self::SmsSent
            | Self::SmsReply => ["mailer", "mailer_legacy"],
            Self::Call => ["call_center", "crm"],
            Self::PortalLogin
            | Self::PageView
            | Self::FormStart
            | Self::FormComplete
            | Self::Download
            | Self::SurveyResponse
            | Self::ListSignup
            | Self::EventSignup => ["web", "portal"],
            Self::Purchase | Self::Order => ["shop", "pharmacy"],
            Self::Event => ["app", "crm"],
            Self::Consent => ["consent_desk", "web"],
            Self::Delivery => ["hyperseg", "crm"],
        }
    }
}

//! Counts segments and releases audited recipient lists over encrypted datasets.
//!
//! ```text
//! BoundSegment ─lower→ LogicalPlan ─optimize→ ExecutionPlan ─intent→ keys armed ─execute→ sets ─gate→ recipients
//!              ─recheck→ spool ─release record→ list
//! ```
//!
//! [`Engine`] answers a [`Request`]; what it tells is in [`CountReport`], [`FunnelReport`], [`PlanReport`] and, with
//! a list, [`Receipt`]; a [`PortfolioRequest`] asks about several segments that share contacts, and [`Engine::count_all`]
//! counts many that do not. Before the first key is unwrapped an intent is durable in the dataset's audit log; before the
//! first recipient can be read its release record is.

mod error;
mod functions;
mod lower;
mod plan;
mod report;
mod request;
mod run;
mod sets;
mod table;

pub use error::{Error, ErrorKind, Result};
pub use report::{
    ArmCount, CountReport, Counters, CriterionReport, FunnelReport, PlanReport, PlanTimes, PortfolioPlace,
    PortfolioReport, PortfolioSegment, PortfolioWhyReport, Reason, Receipt, Removed, ScopeReport,
    SegmentPlan, SegmentTrace, StageReport, StagesReport, TakenBy, UnlockedColumn, WhyReport,
};
pub use request::{ConsentAge, Guards, Limits, PortfolioRequest, Request};
pub use run::{Engine, Recipients};

//! The DataFusion plan of a segment: logical nodes, their physical operators, the rules that keep it safe.
//!
//! Every plan is a tree of sets of contacts, one row per shard ([`crate::sets`]), below at most one gate and one
//! list node:
//!
//! ```text
//! Recipients                    rows of the list: id, address, output fields, for members only
//!   Tails                       one for each value, a sample, the first so many; looks at all shards at once
//!     Amounts                   a number for each contact
//!   Gate                        consent and suppression, in waterfall order
//!     Criteria                  the author's criteria, TRUE for all
//!       FieldSet | RecordSet | And | Or | Not …
//!         Filter, TableScan     DataFusion's own, over encrypted Parquet
//!       Rank                    where contacts stand among others; looks at all shards at once
//!         Amounts
//!       RecordChain             several inputs
//!         Rows                  selected records
//!           Filter, TableScan
//!     FieldSet | RecordSet …    one per gate
//!     Taken                     one per higher segment of a portfolio
//! ```

pub(crate) mod amounts;
pub(crate) mod chance;
pub(crate) mod estimate;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod gate_rule;
pub(crate) mod leaf_cache;
pub(crate) mod node;
pub(crate) mod ops;
pub(crate) mod planner;
pub(crate) mod recipients;
pub(crate) mod rows;
pub(crate) mod session;

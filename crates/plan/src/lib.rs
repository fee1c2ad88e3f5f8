//! From stack parameters and a crawled table to one conversion plan, and from the plan to its
//! renderings.
//!
//! # Layout
//!
//! - [`Parameters`]: what a person says, one set of names for the stack and the command line
//! - [`glue`]: what a crawler found, in the Data Catalog's shape
//! - [`Dataset`], [`Domain`], [`Conversion`]: what Personalize takes
//! - [`resolve`]: the three together become a [`ConversionPlan`], or a [`PlanError`] that says why not
//! - [`propose`]: which column could fill which field, for a person to confirm
//! - [`Artifacts`]: the plan written down as schema, Glue job and SQL
//!
//! Nothing here touches files, networks or clocks.

pub mod glue;

mod artifacts;
mod checks;
mod conversion;
mod dataset;
mod error;
mod job;
mod locate;
mod nearest;
mod parameters;
mod path;
mod plan;
mod propose;
mod python;
mod resolve;
mod schema;
mod source_format;
mod sql;
mod timestamp_format;

pub use artifacts::{Artifacts, RenderError};
pub use conversion::Conversion;
pub use dataset::{Dataset, Domain, FieldRule};
pub use error::{MissingColumn, PlanError};
pub use parameters::{
    AdditionalColumn, ColumnMapping, OutputFiles, PARAMETERS, ParameterError, ParameterInfo,
    Parameters,
};
pub use path::{PathError, SourcePath, Step};
pub use plan::{
    ConversionPlan, CsvFormat, Destination, EventFilter, Field, FieldSource, GrokFormat, Limits,
    PLAN_VERSION, PlanTextError, Source, SourceFormat,
};
pub use propose::{ColumnProfile, Proposal, propose};
pub use resolve::resolve;
pub use source_format::LOG_CLASSIFIERS;
pub use timestamp_format::{
    DatePattern, Digits, EpochUnit, PatternItem, TimestampFormat, TimestampFormatError, month_names,
};

//! Bytes in, Personalize CSV out.
//!
//! # Layout
//!
//! A file goes through stages that know nothing of each other:
//!
//! - `compression` gives the files in an input, out of their zip archive and without their
//!   compression; `window` holds as many bytes of one as a record needs
//! - `json::frame`, `csv`, `xml` and `grok` find where records begin and end, and where the next
//!   one begins after a broken one; what is no JSON of these becomes JSON
//! - `ion` and `bson` find and decode values that follow one another, and write each as JSON
//! - `columnar` (Parquet and ORC) and `avro` decode the wanted values alone, row by row
//! - `json::walk` and `csv` note where the values lie that the plan wants (`projection`), and hand
//!   them on borrowed (`value`); `json::layout` lets the walker compare what records have in common
//!   instead of parsing it, sixteen bytes at once (`lanes`)
//! - `convert` applies the plan's rules and writes rows in Personalize's CSV dialect; a value that
//!   is its own cell is copied (`convert::verbatim`)
//! - `rejects` keeps what could not be converted, `counts` says what became of every record
//! - `parts` cuts a large file so that its parts can be converted at the same time
//!
//! [`Converter`] puts them together. [`infer`] looks at samples instead and says what a crawler
//! would record. Nothing here knows of AWS, of threads or of file systems.

pub mod infer;

mod avro;
mod bson;
mod calendar;
mod caught;
mod columnar;
mod compression;
mod content;
mod convert;
mod converter;
mod counts;
mod csv;
mod digits;
mod error;
mod fault;
mod frame;
mod grok;
mod input;
mod ion;
mod json;
mod lanes;
mod partition;
mod parts;
mod projection;
mod rejects;
mod row;
mod row_buffer;
mod run;
#[cfg(feature = "stages")]
pub mod stages;
mod text;
mod time;
mod value;
mod values;
mod window;
mod workspace;
mod xml;

pub use caught::hide_caught_panics;
pub use compression::{ArchiveFault, Compression, LimitFault};
pub use converter::{Converter, SourceFile};
pub use counts::Counts;
pub use error::ConvertError;
pub use grok::GrokError;
pub use input::Input;
pub use partition::{partition_keys, partition_values};
pub use parts::{Boundary, ConvertedPart, Part, Splitter};

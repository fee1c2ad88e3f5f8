//! What both functions need of AWS and of Lambda: clients, deadlines, logs, metrics, and errors in
//! words.

mod client;
mod deadline;
mod fault;
mod hash;
mod location;
mod log;
mod metrics;

pub use client::{put_presigned, sdk_config};
pub use deadline::Deadline;
pub use fault::{in_words, panic_message, status};
pub use hash::sha256_hex;
pub use location::Location;
pub use log::init_logging;
pub use metrics::{Level, Metrics, Unit};

//! JSON: framing finds where records begin and end, decoding notes where the plan's values lie.

mod ahead;
mod frame;
mod layout;
mod notes;
mod quotes;
mod read;
mod records;
mod scan;
mod strings;
mod walk;
pub(crate) mod write;

pub(crate) use frame::Framer;
pub(crate) use read::{Cursor, elements, members, unescape_into};
pub(crate) use records::JsonRecords;
pub(crate) use scan::{MAX_DEPTH, Stop, is_number};
pub(crate) use walk::Walker;

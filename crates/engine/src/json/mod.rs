//! JSON: framing finds where records begin and end, decoding notes where the plan's values lie.

mod frame;
mod read;
mod scan;
mod walk;
mod write;

pub(crate) use frame::Framer;
pub(crate) use read::{elements, members, unescape_into};
pub(crate) use scan::Stop;
pub(crate) use walk::Walker;
pub(crate) use write::{push_name, push_string};

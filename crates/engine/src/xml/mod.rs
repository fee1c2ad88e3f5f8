//! XML: framing finds each element of one name, which becomes the JSON object that Spark makes of
//! it.

mod frame;
mod guess;
mod object;
mod scan;

pub(crate) use frame::Framer;
pub(crate) use guess::row_tag;

const TOO_DEEP: &str = "elements more than 256 deep";

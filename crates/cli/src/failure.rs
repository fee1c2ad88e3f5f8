//! How a command ends when it does not succeed: one line on stderr and an exit status.

use std::process::ExitCode;

use crate::interrupt;

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was typed makes no sense: status 2
    Usage(anyhow::Error),
    /// It could not be done: status 1
    Failed(anyhow::Error),
    /// Some files failed, which has been said already: status 1
    Reported,
}

impl Failure {
    pub(crate) fn usage(fault: impl Into<anyhow::Error>) -> Self {
        Self::Usage(fault.into())
    }

    /// Says what went wrong and gives the exit status.
    pub(crate) fn report(self) -> ExitCode {
        if interrupt::is_interrupted() {
            eprintln!("interrupted; nothing was left behind");
            return ExitCode::from(130);
        }
        match self {
            Self::Usage(fault) => {
                eprintln!("error: {}", in_one_line(&fault));
                ExitCode::from(2)
            }
            Self::Failed(fault) => {
                eprintln!("error: {}", in_one_line(&fault));
                ExitCode::FAILURE
            }
            Self::Reported => ExitCode::FAILURE,
        }
    }
}

/// The fault and its causes; a cause that was told already is not told again.
fn in_one_line(fault: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in fault.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !line.contains(&cause) {
            let colon = if line.is_empty() { "" } else { ": " };
            line.push_str(&format!("{colon}{cause}"));
        }
    }
    line
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(fault: E) -> Self {
        Self::Failed(fault.into())
    }
}

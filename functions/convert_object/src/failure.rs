//! Why an object was not converted, and whether another try can help.

use personalize_aws::Location;
use personalize_engine::ConvertError;
use personalize_plan::Dataset;

/// Why an object is passed over; that is as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Skip {
    /// It is none that this stack converts
    #[error(transparent)]
    NotASource(#[from] crate::keys::NotASource),
    #[error("it is empty")]
    Empty,
    #[error("it has been deleted since")]
    Deleted,
    #[error("it has been replaced since; the replacement's own event follows")]
    Replaced,
}

/// Why an object was not converted.
#[derive(Debug)]
pub(crate) enum Unconverted {
    Skipped(Skip),
    Failed(Failure),
}

impl<S: Into<Skip>> From<S> for Unconverted {
    fn from(skip: S) -> Self {
        Self::Skipped(skip.into())
    }
}

impl From<Failure> for Unconverted {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Why an object could not be converted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Content(ConvertError),
    #[error("converting it came upon an internal error: {0}. This is a fault of the program")]
    Panic(String),
    #[error("is archived in a storage class that cannot be read; restore it first")]
    Archived,
    #[error(
        "is too large for one invocation: {seconds} seconds were over after {position} of {size} \
         bytes. Run the Glue job over its folder instead; the partial output is removed"
    )]
    TooLarge { seconds: u64, position: u64, size: u64 },
    #[error("the invocation's time was over after {position} of {size} bytes; it is tried again")]
    OutOfTime { position: u64, size: u64 },
    #[error("cannot be read: {0}")]
    Read(String),
    #[error("its output {location} cannot be written: {fault}")]
    Write { location: Location, fault: String },
    #[error("its receipt {location} cannot be read or written: {fault}")]
    Receipt { location: Location, fault: String },
    #[error(
        "was converted to the folder {folder} for another dataset ({dataset}) already: two stacks \
         write there, or one did before its PersonalizeDatasetName was changed. Give each dataset \
         an IncrementalDataPrefix of its own"
    )]
    OtherDataset { dataset: Dataset, folder: String },
    #[error("another version of it was converted at the same time; it is tried again")]
    Overtaken,
}

impl Failure {
    /// Whether no further try can help.
    pub(crate) fn is_poison(&self) -> bool {
        match self {
            Self::Content(fault) => fault.is_poison(),
            Self::Panic(_) | Self::Archived | Self::TooLarge { .. } | Self::OtherDataset { .. } => {
                true
            }
            Self::OutOfTime { .. }
            | Self::Read(_)
            | Self::Write { .. }
            | Self::Receipt { .. }
            | Self::Overtaken => false,
        }
    }
}

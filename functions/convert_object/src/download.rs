//! Finds an object and gives its bytes, whole or by range.

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use jiff::Timestamp;
use personalize_aws::{Location, in_words, status};

use crate::checksum::Expected;
use crate::envelope::ObjectCreated;
use crate::failure::{Failure, Skip, Unconverted};

/// An object whose content is known to be the one that is wanted.
pub(crate) struct Download {
    s3: Client,
    location: Location,
    /// Its beginning and all that follows, unless it will be read by range
    body: Option<ByteStream>,
    /// As S3 writes it, with quotes
    etag: String,
    version_id: Option<String>,
    size: u64,
    last_modified: Option<Timestamp>,
    checksum: Option<Expected>,
}

/// What S3 says of an object.
struct Found {
    body: Option<ByteStream>,
    etag: Option<String>,
    version_id: Option<String>,
    size: Option<i64>,
    last_modified: Option<DateTime>,
    checksum: Option<Expected>,
}

impl Download {
    /// Opens the object if it is still the one that the event is about; `by_range` says that its
    /// format is not read from the beginning.
    pub(crate) async fn open(
        s3: &Client,
        object: &ObjectCreated,
        by_range: bool,
    ) -> Result<Self, Unconverted> {
        let condition = object.etag.as_ref().map(|etag| format!("\"{etag}\""));
        let found = if by_range {
            head(s3, &object.location, condition).await?
        } else {
            // Of a large object too, all is asked for: only then S3 tells its checksum.
            let found = get(s3, &object.location, condition, None).await?;
            Found {
                checksum: Expected::of(&found),
                body: Some(found.body),
                etag: found.e_tag,
                version_id: found.version_id,
                size: found.content_length,
                last_modified: found.last_modified,
            }
        };
        let version_id = found.version_id.filter(|id| id != "null");
        if object.etag.is_none() && object.version_id.is_some() && object.version_id != version_id {
            return Err(Unconverted::Skipped(Skip::Replaced));
        }
        let size = found.size.and_then(|size| u64::try_from(size).ok());
        let etag = found.etag.filter(|etag| !etag.is_empty());
        let (Some(size), Some(etag)) = (size, etag) else {
            let fault = "the answer has no Content-Length or no ETag".to_owned();
            return Err(Unconverted::Failed(Failure::Read(fault)));
        };
        let last_modified = found.last_modified.and_then(|time| {
            time.fmt(DateTimeFormat::DateTime).ok().and_then(|text| text.parse().ok())
        });
        Ok(Self {
            s3: s3.clone(),
            location: object.location.clone(),
            body: found.body,
            etag,
            version_id,
            size,
            last_modified,
            checksum: found.checksum,
        })
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// Without quotes.
    pub(crate) fn etag(&self) -> &str {
        self.etag.trim_matches('"')
    }

    pub(crate) fn version_id(&self) -> Option<&str> {
        self.version_id.as_deref()
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn last_modified(&self) -> Option<Timestamp> {
        self.last_modified
    }

    /// What all bytes together have to give.
    pub(crate) fn checksum(&self) -> Option<&Expected> {
        self.checksum.as_ref()
    }

    /// The body that came when the object was opened, once.
    pub(crate) fn take_body(&mut self) -> Option<ByteStream> {
        self.body.take()
    }

    /// The body of a range of the content that was opened, and of no other.
    pub(crate) async fn range(&self, range: &Range<u64>) -> Result<ByteStream, Unconverted> {
        let bytes = format!("bytes={}-{}", range.start, range.end - 1);
        let found = get(&self.s3, &self.location, Some(self.etag.clone()), Some(bytes)).await?;
        let begins = format!("bytes {}-", range.start);
        match found.content_range {
            Some(given) if given.starts_with(&begins) => Ok(found.body),
            given => {
                let given = given.unwrap_or_else(|| "no range".to_owned());
                let fault = format!("the answer to a GET from byte {} has {given}", range.start);
                Err(Failure::Read(fault).into())
            }
        }
    }
}

async fn head(
    s3: &Client,
    location: &Location,
    etag: Option<String>,
) -> Result<Found, Unconverted> {
    let head = s3.head_object().bucket(&location.bucket).key(&location.key);
    let found = head.set_if_match(etag).send().await.map_err(|fault| refusal(&fault))?;
    Ok(Found {
        body: None,
        etag: found.e_tag,
        version_id: found.version_id,
        size: found.content_length,
        last_modified: found.last_modified,
        checksum: None,
    })
}

/// Gets the object, or a range of it.
async fn get(
    s3: &Client,
    location: &Location,
    etag: Option<String>,
    range: Option<String>,
) -> Result<GetObjectOutput, Unconverted> {
    let get = s3.get_object().bucket(&location.bucket).key(&location.key);
    get.set_if_match(etag).set_range(range).send().await.map_err(|fault| refusal(&fault))
}

/// What it means that S3 does not give an object.
fn refusal<E>(fault: &SdkError<E, HttpResponse>) -> Unconverted
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let service = fault.as_service_error();
    let code = service.and_then(|service| service.meta().code()).unwrap_or_default();
    match (status(fault), code) {
        (Some(404), "NoSuchKey" | "NotFound" | "") => Unconverted::Skipped(Skip::Deleted),
        (Some(412), _) => Unconverted::Skipped(Skip::Replaced),
        (_, "InvalidObjectState") => Unconverted::Failed(Failure::Archived),
        _ => Unconverted::Failed(Failure::Read(in_words(fault))),
    }
}

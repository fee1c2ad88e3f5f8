//! The checksum that S3 keeps of an object.
//!
//! The SDK compares it where one GET gives all of the object, not where several give pieces.

use std::io;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_smithy_checksums::ChecksumAlgorithm;
use aws_smithy_checksums::http::HttpChecksum;

/// What an object's bytes have to give.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    algorithm: ChecksumAlgorithm,
    /// In base64
    value: String,
}

impl Expected {
    /// What S3 says in its answer to a GET of the whole object.
    pub(crate) fn of(found: &GetObjectOutput) -> Option<Self> {
        // As the SDK looks at them: the cheapest first.
        let found = [
            (ChecksumAlgorithm::Crc64Nvme, found.checksum_crc64_nvme()),
            (ChecksumAlgorithm::Crc32c, found.checksum_crc32_c()),
            (ChecksumAlgorithm::Crc32, found.checksum_crc32()),
            (ChecksumAlgorithm::Sha1, found.checksum_sha1()),
            (ChecksumAlgorithm::Sha256, found.checksum_sha256()),
        ];
        let (algorithm, value) = found.into_iter().find_map(|(a, value)| Some((a, value?)))?;
        // That of a multipart upload can be one of its parts' checksums, and ends in their number.
        (!value.contains('-')).then(|| Self { algorithm, value: value.to_owned() })
    }

    /// To be fed with the bytes.
    pub(crate) fn check(self) -> Check {
        Check { running: self.algorithm.into_impl(), expected: self }
    }
}

/// A comparison under way.
pub(crate) struct Check {
    running: Box<dyn HttpChecksum>,
    expected: Expected,
}

impl Check {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.running.update(bytes);
    }

    /// Compares, now that all bytes came.
    pub(crate) fn finish(self) -> io::Result<()> {
        let found = self.running.header_value();
        let Expected { algorithm, value } = self.expected;
        if found.as_bytes() == value.as_bytes() {
            return Ok(());
        }
        let name = algorithm.as_str();
        Err(io::Error::other(format!("its bytes came damaged: their {name} is not {value}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> aws_sdk_s3::operation::get_object::builders::GetObjectOutputBuilder {
        GetObjectOutput::builder()
    }

    #[test]
    fn bytes_are_compared_however_they_are_cut() {
        // CRC-32 of "123456789" is cbf43926.
        let expected = Expected::of(&found().checksum_crc32("y/Q5Jg==").build()).unwrap();
        let mut check = expected.clone().check();
        check.update(b"1234");
        check.update(b"56789");
        check.finish().unwrap();
        let mut check = expected.check();
        check.update(b"123456780");
        let fault = check.finish().unwrap_err().to_string();
        assert_eq!(fault, "its bytes came damaged: their crc32 is not y/Q5Jg==");
    }

    #[test]
    fn a_checksum_of_parts_is_none_of_the_bytes() {
        assert!(Expected::of(&found().checksum_crc32("y/Q5Jg==-2").build()).is_none());
        assert!(Expected::of(&found().build()).is_none());
    }
}

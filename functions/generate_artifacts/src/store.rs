//! The artifact bucket.
//!
//! | key | holds |
//! | --- | --- |
//! | `plan.json` `schema.json` `conversion_job.py` `explore.sql` `unload.sql` | what is in force |
//! | `renderings/<hash>/<name>` | every rendering there was, by the hash of its content |
//! | `parameters.json` | the parameters that the stack gave last |
//! | `table.json` | the table that the plan in force was made of |
//! | `bucket_events/<bucket>` | that this stack turned EventBridge on for a bucket |
//! | `history/<time>-<hash of the plan>.json` | when and why the plan changed |

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use personalize_aws::{Location, in_words, sha256_hex, status};
use personalize_plan::Artifacts;

/// The script that a person may edit; every other object is this program's alone.
const SCRIPT: &str = "conversion_job.py";
const PLAN: &str = "plan.json";
const PARAMETERS: &str = "parameters.json";
const TABLE: &str = "table.json";

/// The artifact bucket.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) s3: Client,
    pub(crate) bucket: String,
}

/// Why the artifact bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{location} cannot be read: {fault}")]
    Read { location: Location, fault: String },
    #[error("{location} cannot be written: {fault}")]
    Write { location: Location, fault: String },
    #[error("another plan was put in force meanwhile")]
    Overtaken,
    #[error("the artifacts in bucket {bucket} cannot be removed: {fault}")]
    Remove { bucket: String, fault: String },
}

/// Where the artifacts in force lie.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    /// The script that the Glue job runs
    pub(crate) script: Location,
    /// The script as rendered; another one than `script` where a person has edited that
    pub(crate) rendered_script: Location,
    pub(crate) script_is_edited: bool,
    pub(crate) schema: Location,
    pub(crate) plan: Location,
    pub(crate) explore: Location,
    pub(crate) unload: Location,
}

/// Which plan in force may be replaced.
#[derive(Debug)]
pub(crate) enum Over {
    Anything,
    /// The one that was read, or none where none was found
    Only(Option<Stored>),
}

/// A text and what tells this version of it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) text: String,
    pub(crate) etag: String,
}

/// The first 16 hexadecimal digits of the SHA-256 of a text.
pub(crate) fn short_hash(text: &str) -> String {
    sha256_hex(text).chars().take(16).collect()
}

impl Store {
    fn location(&self, key: &str) -> Location {
        Location::new(&self.bucket, key)
    }

    /// The parameters that the stack gave last; none before its creation is done.
    pub(crate) async fn parameters(&self) -> Result<Option<Stored>, StoreError> {
        self.get(PARAMETERS).await
    }

    pub(crate) async fn put_parameters(&self, json: &str) -> Result<(), StoreError> {
        self.put(PARAMETERS, json).await
    }

    /// The table that the plan in force was made of.
    pub(crate) async fn table(&self) -> Result<Option<Stored>, StoreError> {
        self.get(TABLE).await
    }

    pub(crate) async fn put_table(&self, json: &str) -> Result<(), StoreError> {
        self.put(TABLE, json).await
    }

    pub(crate) async fn plan(&self) -> Result<Option<Stored>, StoreError> {
        self.get(PLAN).await
    }

    /// Adds to the plan's history.
    pub(crate) async fn put_history(
        &self,
        time: &str,
        plan: &str,
        entry: &str,
    ) -> Result<(), StoreError> {
        self.put(&format!("history/{time}-{}.json", short_hash(plan)), entry).await
    }

    /// Whether this stack turned EventBridge on for a bucket.
    pub(crate) async fn has_turned_on(&self, bucket: &str) -> Result<bool, StoreError> {
        Ok(self.get(&turned_on(bucket)).await?.is_some_and(|stored| stored.text == "on"))
    }

    /// Remembers whether this stack turned EventBridge on for a bucket.
    pub(crate) async fn put_turned_on(&self, bucket: &str, on: bool) -> Result<(), StoreError> {
        self.put(&turned_on(bucket), if on { "on" } else { "off" }).await
    }

    /// Stores the artifacts and puts them in force, the plan last: with it conversions change.
    ///
    /// A script that a person has edited stays as it is.
    pub(crate) async fn publish(
        &self,
        artifacts: &Artifacts,
        over: &Over,
    ) -> Result<Published, StoreError> {
        let script_is_edited = self.script_is_edited(&artifacts.conversion_job).await?;
        for (name, text) in artifacts.files() {
            self.put(&rendering(name, text), text).await?;
        }
        for (name, text) in artifacts.files() {
            if name != PLAN && !(name == SCRIPT && script_is_edited) {
                self.put(name, text).await?;
            }
        }
        self.put_plan(&artifacts.plan, over).await?;
        Ok(Published {
            script: self.location(SCRIPT),
            rendered_script: self.location(&rendering(SCRIPT, &artifacts.conversion_job)),
            script_is_edited,
            schema: self.location("schema.json"),
            plan: self.location(PLAN),
            explore: self.location("explore.sql"),
            unload: self.location("unload.sql"),
        })
    }

    async fn put_plan(&self, text: &str, over: &Over) -> Result<(), StoreError> {
        let put = self.put_request(PLAN, text);
        let put = match over {
            Over::Anything => put,
            Over::Only(Some(read)) => put.if_match(&read.etag),
            Over::Only(None) => put.if_none_match("*"),
        };
        put.send().await.map(|_| ()).map_err(|fault| match status(&fault) {
            Some(404 | 409 | 412) => StoreError::Overtaken,
            _ => StoreError::Write { location: self.location(PLAN), fault: in_words(&fault) },
        })
    }

    /// Whether exactly these artifacts of this table are in force; an edited script counts as any.
    pub(crate) async fn has(&self, artifacts: &Artifacts, table: &str) -> Result<bool, StoreError> {
        let script_is_edited = self.script_is_edited(&artifacts.conversion_job).await?;
        for (name, text) in artifacts.files().into_iter().chain([(TABLE, table)]) {
            let is_free = name == SCRIPT && script_is_edited;
            if !is_free && self.get(name).await?.is_none_or(|stored| stored.text != text) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the script in force is none that was ever rendered.
    async fn script_is_edited(&self, next: &str) -> Result<bool, StoreError> {
        let Some(current) = self.get(SCRIPT).await? else { return Ok(false) };
        if current.text == next {
            return Ok(false);
        }
        Ok(self.get(&rendering(SCRIPT, &current.text)).await?.is_none())
    }

    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let fail = |fault| StoreError::Read { location: self.location(key), fault };
        let found = match self.s3.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(found) => found,
            Err(fault) if status(&fault) == Some(404) => return Ok(None),
            Err(fault) => return Err(fail(in_words(&fault))),
        };
        let etag = found.e_tag.unwrap_or_default();
        let bytes = found.body.collect().await.map_err(|fault| fail(fault.to_string()))?;
        // Whatever an editor may have left there counts as edited, not as a failure.
        let text = String::from_utf8_lossy(&bytes.into_bytes()).into_owned();
        Ok(Some(Stored { text, etag }))
    }

    async fn put(&self, key: &str, text: &str) -> Result<(), StoreError> {
        let put = self.put_request(key, text).send().await;
        put.map(|_| ()).map_err(|fault| StoreError::Write {
            location: self.location(key),
            fault: in_words(&fault),
        })
    }

    fn put_request(&self, key: &str, text: &str) -> PutObjectFluentBuilder {
        let content_type = match key.rsplit_once('.') {
            Some((_, "json")) => "application/json",
            _ => "text/plain; charset=utf-8",
        };
        let body = ByteStream::from(text.as_bytes().to_vec());
        let put = self.s3.put_object().bucket(&self.bucket).key(key).content_type(content_type);
        put.body(body)
    }

    /// Removes every version of everything that this program puts into the bucket. A bucket that
    /// is gone already holds nothing.
    pub(crate) async fn remove_all(&self) -> Result<usize, StoreError> {
        let fail = |fault| StoreError::Remove { bucket: self.bucket.clone(), fault };
        let (mut removed, mut key, mut version) = (0, None, None);
        loop {
            let page = self.s3.list_object_versions().bucket(&self.bucket);
            let page = page.set_key_marker(key.take()).set_version_id_marker(version.take());
            let page = match page.send().await {
                Ok(page) => page,
                Err(fault) if status(&fault) == Some(404) => return Ok(removed),
                Err(fault) => return Err(fail(in_words(&fault))),
            };
            let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
            let markers = page.delete_markers().iter().map(|m| (m.key(), m.version_id()));
            let own = versions.chain(markers).filter_map(|(key, version)| {
                let key = key.filter(|key| is_own(key))?;
                let version = version.map(str::to_owned);
                ObjectIdentifier::builder().key(key).set_version_id(version).build().ok()
            });
            let own: Vec<_> = own.collect();
            if own.is_empty() {
                if page.is_truncated() != Some(true) {
                    return Ok(removed);
                }
                (key, version) = (page.next_key_marker, page.next_version_id_marker);
            } else {
                // The next page would begin behind a version that is gone: from the start again.
                removed += own.len();
                self.delete(own).await.map_err(fail)?;
            }
        }
    }

    async fn delete(&self, objects: Vec<ObjectIdentifier>) -> Result<(), String> {
        if objects.is_empty() {
            return Ok(());
        }
        let delete = Delete::builder().quiet(true).set_objects(Some(objects)).build();
        let delete = delete.map_err(|fault| fault.to_string())?;
        let done = self.s3.delete_objects().bucket(&self.bucket).delete(delete).send().await;
        let done = done.map_err(|fault| in_words(&fault))?;
        match done.errors().first() {
            None => Ok(()),
            Some(error) => Err(format!(
                "{}: {}",
                error.key().unwrap_or_default(),
                error.message().or(error.code()).unwrap_or("no reason given")
            )),
        }
    }
}

/// The key of a rendering: the same content has the same key.
fn rendering(name: &str, text: &str) -> String {
    format!("renderings/{}/{name}", short_hash(text))
}

fn turned_on(bucket: &str) -> String {
    format!("bucket_events/{bucket}")
}

/// Whether a key is one that this program writes.
fn is_own(key: &str) -> bool {
    const NAMES: [&str; 7] =
        [PLAN, "schema.json", SCRIPT, "explore.sql", "unload.sql", PARAMETERS, TABLE];
    const FOLDERS: [&str; 3] = ["renderings/", "history/", "bucket_events/"];
    FOLDERS.iter().any(|folder| key.starts_with(folder)) || NAMES.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_renderings_follow_their_content() {
        assert_eq!(rendering("plan.json", "{}"), "renderings/44136fa355b3678a/plan.json");
        assert_ne!(rendering("plan.json", "{}"), rendering("plan.json", "{ }"));
    }

    #[test]
    fn only_own_keys_are_removed() {
        for own in ["plan.json", "table.json", "history/x.json", "renderings/a/plan.json"] {
            assert!(is_own(own), "{own}");
        }
        for other in ["notes.txt", "backup/plan.json", "plan.json.bak", "renderings"] {
            assert!(!is_own(other), "{other}");
        }
    }
}

//! `Custom::ConversionArtifacts`: the crawled table becomes plan, schema, Glue job and SQL.

use std::time::Duration;

use aws_sdk_glue::Client as Glue;
use personalize_aws::{Deadline, Level, Metrics, Unit};
use personalize_plan::glue::{Table, TableError};
use personalize_plan::{
    Artifacts, ConversionPlan, ParameterError, Parameters, PlanError, RenderError, resolve,
};
use serde_json::{Map, Value, json};

use crate::catalog::{self, CatalogError};
use crate::changes::SchemaChanges;
use crate::crawl::{self, Crawl, CrawlError};
use crate::request::{Continuation, RequestType, ResourceRequest};
use crate::settings::{MissingProperty, Settings};
use crate::store::{Over, Published, Store, StoreError, short_hash};

/// How often the artifacts are made again if the stack gives other parameters meanwhile.
const ATTEMPTS: usize = 5;
/// As long as rendering and storing take, with time to spare.
const RENDERING: Duration = Duration::from_secs(2);

/// What the resource needs of AWS.
#[derive(Debug, Clone)]
pub(crate) struct ArtifactsResource {
    pub(crate) glue: Glue,
    pub(crate) store: Store,
    pub(crate) stack: String,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Made {
    /// The resource's attributes
    Attributes(Map<String, Value>),
    /// The crawler needs more time than this invocation has
    NotYet(Continuation),
}

/// Why the artifacts cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactsError {
    #[error(transparent)]
    Property(#[from] MissingProperty),
    #[error("{0}")]
    Parameter(#[from] ParameterError),
    #[error("{0}")]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error(transparent)]
    Crawl(#[from] CrawlError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("parameters.json in the artifact bucket cannot be read: {0}; deploy the stack again")]
    Settings(#[from] serde_json::Error),
    #[error("table.json in the artifact bucket cannot be read: {0}; deploy the stack again")]
    StoredTable(#[from] TableError),
    #[error("the stack's parameters changed {ATTEMPTS} times while the artifacts were made")]
    Restless,
}

/// Why artifacts are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Cause {
    Create,
    Update,
    Crawl,
}

/// A plan with its renderings.
struct Rendered {
    table: Table,
    plan: ConversionPlan,
    artifacts: Artifacts,
}

impl ArtifactsResource {
    /// Creates or updates: crawls, plans, renders and stores.
    pub(crate) async fn make(
        &self,
        request: &ResourceRequest,
        deadline: &Deadline,
    ) -> Result<Made, ArtifactsError> {
        let settings = Settings::of(request)?;
        match self.make_anew(&settings, request, deadline).await {
            Err(fault) if request.request_type == RequestType::Update => {
                self.keep(&settings, fault).await
            }
            made => made,
        }
    }

    async fn make_anew(
        &self,
        settings: &Settings,
        request: &ResourceRequest,
        deadline: &Deadline,
    ) -> Result<Made, ArtifactsError> {
        // What can be refused without a table is refused before a crawler runs for minutes.
        let parameters = settings.parameters()?;
        parameters.check_prefixes()?;
        let mut before = None;
        if !request.continuation.crawling {
            before = Some(crawl::last_crawl(&self.glue, &settings.crawler).await?);
            crawl::start(&self.glue, &settings.crawler).await?;
        }
        match crawl::wait(&self.glue, &settings.crawler, before, deadline).await? {
            Crawl::Running => {
                return Ok(Made::NotYet(Continuation { crawling: true, ..request.continuation }));
            }
            Crawl::Done => {}
        }
        let rendered = self.render(settings, &parameters).await?;
        self.store.put_parameters(&serde_json::to_string_pretty(settings)?).await?;
        let cause = match request.request_type {
            RequestType::Update => Cause::Update,
            _ => Cause::Create,
        };
        let (published, _) = self.publish(&rendered, cause, Over::Anything).await?;
        Ok(Made::Attributes(attributes(&rendered.plan, &published, None)))
    }

    /// After a failed update with the parameters in force, as a rollback brings them: the plan in
    /// force stays, rendered by this release, and the fault is a warning. A rollback that failed in
    /// its turn would leave the stack stuck.
    async fn keep(
        &self,
        settings: &Settings,
        fault: ArtifactsError,
    ) -> Result<Made, ArtifactsError> {
        let stored = self.store.parameters().await?;
        let in_force =
            stored.and_then(|stored| serde_json::from_str::<Settings>(&stored.text).ok());
        if in_force.as_ref() != Some(settings) {
            return Err(fault);
        }
        let Some(stored) = self.store.plan().await? else { return Err(fault) };
        let Ok(plan) = ConversionPlan::from_json(&stored.text) else { return Err(fault) };
        tracing::warn!(fault = fault.to_string(), "the plan in force is kept");
        let published = self.store.publish(&Artifacts::render(&plan)?, &Over::Anything).await?;
        Ok(Made::Attributes(attributes(&plan, &published, Some(&fault))))
    }

    /// Makes the artifacts again if `crawler` is the stack's and has found another schema.
    ///
    /// The stack may be updated at the same time: the plan is only put over the one that was read
    /// before the parameters were.
    pub(crate) async fn crawled(&self, crawler: &str) -> Result<(), ArtifactsError> {
        for _ in 0..ATTEMPTS {
            let plan = self.store.plan().await?;
            let Some(stored) = self.store.parameters().await? else {
                tracing::info!(crawler, "the stack is being created; nothing to render yet");
                return Ok(());
            };
            let settings: Settings = serde_json::from_str(&stored.text)?;
            if settings.crawler != crawler {
                tracing::info!(crawler, "this is the crawler of another stack");
                return Ok(());
            }
            let rendered = self.render(&settings, &settings.parameters()?).await?;
            if self.store.has(&rendered.artifacts, &rendered.table.to_json()).await? {
                tracing::info!(crawler, "nothing has changed");
                return Ok(());
            }
            let published = self.publish(&rendered, Cause::Crawl, Over::Only(plan)).await;
            if self.store.parameters().await?.is_none() {
                tracing::info!(crawler, "the stack was deleted meanwhile; nothing is left of it");
                self.store.remove_all().await?;
                return Ok(());
            }
            match published {
                Ok((_, changes)) => {
                    if !changes.is_empty() {
                        self.report(&changes);
                    }
                    return Ok(());
                }
                Err(ArtifactsError::Store(StoreError::Overtaken)) => {
                    tracing::info!("the stack was updated meanwhile; rendering again");
                }
                Err(fault) => return Err(fault),
            }
        }
        Err(ArtifactsError::Restless)
    }

    /// Stops the crawler, so that it can be deleted or changed.
    pub(crate) async fn stop_crawling(&self, request: &ResourceRequest, deadline: &Deadline) {
        if let Ok(settings) = Settings::of(request) {
            crawl::stop(&self.glue, &settings.crawler, deadline).await;
        }
    }

    /// Ends what is under way and removes everything that was ever stored.
    pub(crate) async fn remove(
        &self,
        request: &ResourceRequest,
        deadline: &Deadline,
    ) -> Result<(), ArtifactsError> {
        self.stop_crawling(request, deadline).await;
        let mut objects = 0;
        loop {
            let removed = self.store.remove_all().await?;
            objects += removed;
            if removed == 0 {
                break;
            }
            // A rendering may be under way that began while there was something to render.
            tokio::time::sleep(RENDERING).await;
        }
        tracing::info!(objects, bucket = self.store.bucket, "artifacts removed");
        Ok(())
    }

    async fn render(
        &self,
        settings: &Settings,
        parameters: &Parameters,
    ) -> Result<Rendered, ArtifactsError> {
        let source_url = format!("s3://{}/{}", parameters.source_bucket, parameters.source_prefix);
        let table =
            catalog::table(&self.glue, &settings.database, &parameters.table, &source_url).await?;
        let plan = resolve(parameters, &table)?;
        let artifacts = Artifacts::render(&plan)?;
        Ok(Rendered { table, plan, artifacts })
    }

    /// Puts the renderings in force and records what has changed.
    async fn publish(
        &self,
        rendered: &Rendered,
        cause: Cause,
        over: Over,
    ) -> Result<(Published, SchemaChanges), ArtifactsError> {
        let old_plan = self.store.plan().await?;
        let changes = match self.store.table().await? {
            Some(old) => SchemaChanges::between(&Table::from_json(&old.text)?, &rendered.table),
            None => SchemaChanges::default(),
        };
        let published = self.store.publish(&rendered.artifacts, &over).await?;
        self.store.put_table(&rendered.table.to_json()).await?;
        let is_new = old_plan.is_none_or(|old| old.text != rendered.artifacts.plan);
        if is_new || !changes.is_empty() {
            let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let entry = json!({
                "time": time,
                "cause": cause,
                "plan": published.plan.to_string(),
                "plan_hash": short_hash(&rendered.artifacts.plan),
                "plan_changed": is_new,
                "schema_changes": changes,
                "notes": rendered.plan.notes,
            });
            let entry = format!("{entry:#}\n");
            self.store.put_history(&time, &rendered.artifacts.plan, &entry).await?;
        }
        tracing::info!(
            cause = ?cause,
            plan_hash = short_hash(&rendered.artifacts.plan),
            plan_changed = is_new,
            schema_changes = %changes,
            script_is_edited = published.script_is_edited,
            "artifacts published"
        );
        Ok((published, changes))
    }

    fn report(&self, changes: &SchemaChanges) {
        Metrics::new(&self.stack, Level::Warn, format!("the source's schema changed: {changes}"))
            .metric("SchemaChanges", Unit::Count, changes.count() as u64)
            .property("schema_changes", json!(changes))
            .emit();
    }
}

/// What the template reads with `!GetAtt`.
fn attributes(
    plan: &ConversionPlan,
    published: &Published,
    fault: Option<&ArtifactsError>,
) -> Map<String, Value> {
    let mut warnings = plan.notes.clone();
    if let Some(fault) = fault {
        warnings.insert(
            0,
            format!("the plan in force is kept, since a new one cannot be made: {fault}"),
        );
    }
    if published.script_is_edited {
        warnings.push(format!(
            "{} was edited by a person and is kept; the new rendering is {}",
            published.script, published.rendered_script
        ));
    }
    let columns: Vec<&str> = plan.fields.iter().map(|field| field.name.as_str()).collect();
    let text = |text: &dyn std::fmt::Display| Value::String(text.to_string());
    [
        ("Script", text(&published.script)),
        ("RenderedScript", text(&published.rendered_script)),
        ("Schema", text(&published.schema)),
        ("Plan", text(&published.plan)),
        ("ExploreSql", text(&published.explore)),
        ("UnloadSql", text(&published.unload)),
        ("Columns", text(&columns.join(","))),
        // An output of a stack cannot be empty.
        ("Warnings", if warnings.is_empty() { "none".into() } else { warnings.join("; ").into() }),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

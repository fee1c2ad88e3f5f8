//! From parameters and a table to the plan: every mapping decision is made here, once.

use crate::checks;
use crate::conversion::Conversion;
use crate::dataset::{Dataset, FieldRule};
use crate::error::PlanError;
use crate::glue::{ColumnType, Table};
use crate::locate::{Located, locate};
use crate::nearest::folded;
use crate::parameters::{ColumnMapping, Parameters, upper_snake};
use crate::path::SourcePath;
use crate::plan::{
    ConversionPlan, Destination, EventFilter, Field, FieldSource, PLAN_VERSION, Source,
    SourceFormat,
};
use crate::source_format::source_format;

/// Makes the plan for filling the dataset from the table.
///
/// # Errors
///
/// [`PlanError`] for whatever the source lacks or Personalize would refuse.
pub fn resolve(parameters: &Parameters, table: &Table) -> Result<ConversionPlan, PlanError> {
    if parameters.domain.is_some() && !parameters.dataset.exists_in_domains() {
        return Err(PlanError::NotInDomains { dataset: parameters.dataset });
    }
    let format = source_format(table)?;
    let mut fields = Fields {
        parameters,
        table,
        rules: parameters.dataset.fields(parameters.domain),
        fields: Vec::new(),
        notes: Vec::new(),
    };
    for (mapping, conversion) in mappings(parameters) {
        fields.add_mapped(mapping, conversion)?;
    }
    for column in &parameters.additional_columns {
        let located = locate(table, "AdditionalColumns", &column.source)?;
        fields.add_additional(&column.destination, column.conversion, located)?;
    }
    fields.add_required_by_name()?;
    if parameters.dataset.is_catalogue() && parameters.additional_columns.is_empty() {
        fields.add_every_other_column();
    }
    let Fields { fields, mut notes, .. } = fields;
    if let Some(escape) = table.parameter("escapeChar").filter(|escape| *escape != "\"") {
        notes.push(format!(
            "the table's escapeChar {escape} is not undone: cells are read as RFC 4180 quotes them, \
             with a quote doubled"
        ));
    }

    if matches!(format, SourceFormat::Csv(_)) {
        notes.extend(fields.iter().filter_map(|field| number_as_text(table, field)));
    }

    let mut plan = ConversionPlan {
        plan_version: PLAN_VERSION,
        dataset: parameters.dataset,
        domain: parameters.domain,
        source: Source {
            bucket: parameters.source_bucket.clone(),
            prefix: parameters.source_prefix.clone(),
            database: table.database_name.clone(),
            table: table.name.clone(),
            format,
            partition_keys: table.partition_keys.iter().map(|key| key.name.clone()).collect(),
            limits: parameters.limits,
        },
        destination: Destination {
            bucket: parameters.destination_bucket.clone(),
            prefix: parameters.destination_prefix.clone(),
            incremental_prefix: parameters.incremental_prefix.clone(),
            rejected_prefix: parameters.rejected_prefix.clone(),
            files: parameters.output_files,
        },
        filter: event_filter(parameters, table, &fields)?,
        timestamp_format: parameters.timestamp_format.clone(),
        fields,
        notes,
    };
    checks::check(&plan)?;
    parameters.check_prefixes()?;
    plan.notes.extend(checks::advice(&plan));
    Ok(plan)
}

/// What to know of a CSV's column of numbers that becomes text: Glue's reader gives the number, not
/// the cell.
fn number_as_text(table: &Table, field: &Field) -> Option<String> {
    use Conversion::{Categorical, EventType, Identifier, Text};
    let column = table.column(field.source.path()?.first_name())?;
    let is_number = matches!(
        column.column_type(),
        ColumnType::Int | ColumnType::BigInt | ColumnType::Float | ColumnType::Double
    );
    let is_text = matches!(field.conversion, Identifier | EventType | Text | Categorical);
    (is_number && is_text).then(|| {
        format!(
            "the Glue job reads {} as the table's {}, so that 007 becomes 7; where zeros in front \
             matter, the table must say string",
            field.name, column.type_name
        )
    })
}

/// The mapped columns of a dataset in output order: the order that the first edition of this
/// pipeline wrote, so that files of both can lie in one folder.
fn mappings(parameters: &Parameters) -> Vec<(&ColumnMapping, Conversion)> {
    let Parameters { user_id, item_id, event_type, event_value, timestamp, .. } = parameters;
    use Conversion::{EpochSeconds, EventType, Float, Identifier};
    match parameters.dataset {
        Dataset::Interactions => vec![
            (item_id, Identifier),
            (user_id, Identifier),
            (event_type, EventType),
            (event_value, Float),
            (timestamp, EpochSeconds),
        ],
        Dataset::Users => vec![(user_id, Identifier)],
        Dataset::Items | Dataset::Actions => vec![(item_id, Identifier)],
        Dataset::ActionInteractions => vec![
            (item_id, Identifier),
            (user_id, Identifier),
            (event_type, EventType),
            (timestamp, EpochSeconds),
        ],
    }
}

/// The fields as they are gathered.
struct Fields<'a> {
    parameters: &'a Parameters,
    table: &'a Table,
    rules: Vec<FieldRule>,
    fields: Vec<Field>,
    notes: Vec<String>,
}

impl Fields<'_> {
    fn rule(&self, name: &str) -> Option<FieldRule> {
        self.rules.iter().find(|rule| rule.name.eq_ignore_ascii_case(name)).copied()
    }

    /// Whether `AdditionalColumns` fills the field of that name.
    fn is_additional(&self, name: &str) -> bool {
        let columns = &self.parameters.additional_columns;
        columns.iter().any(|column| column.destination.eq_ignore_ascii_case(name))
    }

    /// Adds the column of a `SourceColumn…` and `DestinationColumn…` pair.
    ///
    /// One left at its default that the source does not have is left out, unless it is required.
    fn add_mapped(
        &mut self,
        mapping: &ColumnMapping,
        conversion: Conversion,
    ) -> Result<(), PlanError> {
        let mut destination = mapping.destination.as_str();
        let dataset = self.parameters.dataset;
        if matches!(dataset, Dataset::Actions | Dataset::ActionInteractions)
            && destination.eq_ignore_ascii_case("ITEM_ID")
        {
            destination = "ACTION_ID";
        }
        if mapping.source.is_empty() || destination.is_empty() {
            return Ok(());
        }
        let rule = self.rule(destination);
        let required = rule.is_some_and(|rule| rule.required);
        // An action's identifier is an item's only if somebody said so.
        let source = match self.column_like("ACTION_ID") {
            Some(action) if destination == "ACTION_ID" && mapping.is_default => action,
            _ => mapping.source.clone(),
        };
        match locate(self.table, mapping.parameter, &source) {
            Ok(located) => {
                let conversion = rule.map_or(conversion, |rule| rule.conversion);
                self.add(mapping.parameter, destination, conversion, located)
            }
            Err(_) if mapping.is_default && self.is_additional(destination) => Ok(()),
            Err(PlanError::MissingColumn(_)) if mapping.is_default && !required => {
                self.notes.push(format!(
                    "{destination} is left out: the source has no `{}`; name its column in {} if \
                     it has one",
                    mapping.source, mapping.parameter
                ));
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    fn add_additional(
        &mut self,
        destination: &str,
        asked: Option<Conversion>,
        located: Located,
    ) -> Result<(), PlanError> {
        let by_type = || by_column_type(&located.column_type).unwrap_or(Conversion::Text);
        let conversion = match (self.rule(destination), asked) {
            (Some(rule), None) => rule.conversion,
            (Some(rule), Some(asked)) if serves(rule.conversion, asked) => rule.conversion,
            (Some(rule), Some(asked)) => {
                return Err(PlanError::ReservedType {
                    field: rule.name.to_owned(),
                    asked: described(asked),
                    expected: described(rule.conversion),
                });
            }
            (None, asked) => asked.unwrap_or_else(by_type),
        };
        self.add("AdditionalColumns", destination, conversion, located)
    }

    /// Fills required fields that no parameter names from columns of the same name, ignoring case
    /// and underscores: `categoryL1` is CATEGORY_L1.
    fn add_required_by_name(&mut self) -> Result<(), PlanError> {
        const NAMED_BY_PARAMETERS: [&str; 4] = ["USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP"];
        for rule in self.rules.clone() {
            let filled = self.fields.iter().any(|field| field.name == rule.name);
            if filled || !rule.required || NAMED_BY_PARAMETERS.contains(&rule.name) {
                continue;
            }
            if let Some(name) = self.column_like(rule.name) {
                let located = locate(self.table, rule.name, &name)?;
                self.add(rule.name, rule.name, rule.conversion, located)?;
            }
        }
        Ok(())
    }

    fn column_like(&self, name: &str) -> Option<String> {
        let columns = &self.table.storage_descriptor.columns;
        let column = columns.iter().find(|column| folded(&column.name) == folded(name))?;
        Some(self.table.original_name(&column.name).to_owned())
    }

    /// Takes every scalar column and array of scalars that is not used yet as metadata, up to
    /// Personalize's limit, and notes which were left.
    fn add_every_other_column(&mut self) {
        let limits = self.parameters.dataset.metadata_limits(self.parameters.domain);
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for column in &self.table.storage_descriptor.columns {
            let name = self.table.original_name(&column.name).to_owned();
            let path = SourcePath::column(name.clone());
            if self.fields.iter().any(|f| f.source.path().is_some_and(|p| p.same_place(&path))) {
                continue;
            }
            let rule = self.rules.iter().find(|rule| folded(rule.name) == folded(&name)).copied();
            let destination = rule.map_or_else(|| upper_snake(&name), |rule| rule.name.to_owned());
            let column_type = column.column_type();
            let conversion = rule.map(|rule| rule.conversion).or(by_column_type(&column_type));
            let own = self.fields.iter().filter(|field| self.rule(&field.name).is_none()).count();
            let reason = match conversion {
                None => Some(format!("{column_type} is not one value")),
                Some(conversion) if !fits(conversion, &column_type) => {
                    Some(format!("{column_type} is no {}", described(conversion)))
                }
                Some(_) if !checks::is_valid_name(&destination) => Some("its name".to_owned()),
                Some(_) if self.fields.iter().any(|f| checks::collide(&f.name, &destination)) => {
                    Some(format!("{destination} is taken"))
                }
                Some(_) if rule.is_none() && own >= *limits.end() => {
                    Some(format!("at most {} metadata fields", limits.end()))
                }
                Some(_) => None,
            };
            match (conversion, reason) {
                (Some(conversion), None) => {
                    taken.push(format!("{name} as {destination}"));
                    self.fields.push(Field {
                        name: destination,
                        source: FieldSource::Path(path),
                        conversion,
                        nullable: rule.is_none_or(|rule| rule.nullable),
                    });
                }
                (_, reason) => left.push(format!("{name} ({})", reason.unwrap_or_default())),
            }
        }
        if !taken.is_empty() {
            self.notes.push(format!("taken as metadata: {}", taken.join(", ")));
        }
        if !left.is_empty() {
            self.notes.push(format!("left out: {}", left.join(", ")));
        }
    }

    fn add(
        &mut self,
        parameter: &str,
        destination: &str,
        conversion: Conversion,
        located: Located,
    ) -> Result<(), PlanError> {
        if !fits(conversion, &located.column_type) {
            let source = match &located.source {
                FieldSource::Path(path) => path.to_string(),
                FieldSource::PartitionKey(key) => key.clone(),
            };
            let hint = match &located.column_type {
                ColumnType::Array(_) => {
                    format!("; write `{source}[]` for a row per element or `{source}[0]`")
                }
                ColumnType::Struct(_) => format!("; name a member, as in `{source}.name`"),
                _ => String::new(),
            };
            return Err(PlanError::WrongSourceType {
                parameter: parameter.to_owned(),
                path: source,
                found: located.column_type.to_string(),
                field: destination.to_owned(),
                takes: format!("{}{hint}", described(conversion)),
            });
        }
        let rule = self.rule(destination);
        self.fields.push(Field {
            name: rule.map_or_else(|| destination.to_owned(), |rule| rule.name.to_owned()),
            source: located.source,
            conversion,
            nullable: rule.is_none_or(|rule| rule.nullable),
        });
        Ok(())
    }
}

/// The conversion for a metadata column of that type; none for types that are not one value.
fn by_column_type(column_type: &ColumnType) -> Option<Conversion> {
    match column_type {
        ColumnType::String => Some(Conversion::Categorical),
        ColumnType::Boolean => Some(Conversion::Boolean),
        ColumnType::Int | ColumnType::BigInt => Some(Conversion::Long),
        ColumnType::Float => Some(Conversion::Float),
        ColumnType::Double | ColumnType::Decimal(_) => Some(Conversion::Double),
        ColumnType::Date | ColumnType::Timestamp => Some(Conversion::EpochSeconds),
        ColumnType::Array(element) if element.is_scalar() => Some(Conversion::Categorical),
        _ => None,
    }
}

/// Whether a column of that type can hold values for the conversion.
fn fits(conversion: Conversion, column_type: &ColumnType) -> bool {
    match column_type {
        ColumnType::Struct(_) | ColumnType::Map(..) => false,
        ColumnType::Array(element) => {
            conversion.takes_arrays() && (element.is_scalar() || is_other(element))
        }
        ColumnType::Boolean => conversion != Conversion::EpochSeconds,
        ColumnType::Date | ColumnType::Timestamp => {
            !matches!(conversion, Conversion::Float | Conversion::Double | Conversion::Int)
        }
        _ => true,
    }
}

fn is_other(column_type: &ColumnType) -> bool {
    matches!(column_type, ColumnType::Other(_))
}

/// Whether the type that was asked for is the reserved field's own.
fn serves(reserved: Conversion, asked: Conversion) -> bool {
    let text = |conversion| matches!(conversion, Conversion::Text | Conversion::Categorical);
    reserved == asked
        || match reserved {
            Conversion::Identifier | Conversion::EventType | Conversion::List => {
                asked == Conversion::Text
            }
            Conversion::Categorical => text(asked) || asked == Conversion::Boolean,
            Conversion::Textual => text(asked) && asked == Conversion::Text,
            Conversion::EpochSeconds => asked == Conversion::Long,
            _ => false,
        }
}

fn described(conversion: Conversion) -> String {
    match conversion {
        Conversion::EpochSeconds => "long (epoch seconds)".into(),
        _ if conversion.is_categorical() => "categorical string".into(),
        _ if conversion.is_textual() => "textual string".into(),
        _ => conversion.avro_type().into(),
    }
}

fn event_filter(
    parameters: &Parameters,
    table: &Table,
    fields: &[Field],
) -> Result<Option<EventFilter>, PlanError> {
    if parameters.event_types.is_empty() {
        return Ok(None);
    }
    let mapping = &parameters.event_type;
    let source = match fields.iter().find(|field| field.name == "EVENT_TYPE") {
        Some(field) => field.source.clone(),
        None if mapping.source.is_empty() => {
            return Err(PlanError::NoEventType { asked: String::new() });
        }
        None => match locate(table, mapping.parameter, &mapping.source) {
            Ok(located) => located.source,
            Err(_) if mapping.is_default => {
                return Err(PlanError::NoEventType { asked: mapping.source.clone() });
            }
            Err(fault) => return Err(fault),
        },
    };
    Ok(Some(EventFilter { source, event_types: parameters.event_types.clone() }))
}

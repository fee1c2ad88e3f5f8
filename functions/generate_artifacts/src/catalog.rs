//! The crawled table, from the Data Catalog.

use std::collections::BTreeMap;

use aws_sdk_glue::Client;
use aws_sdk_glue::types as sdk;
use personalize_aws::in_words;
use personalize_plan::glue::{Column, SerdeInfo, StorageDescriptor, Table};

/// Why there is no table to plan by.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogError {
    #[error("the Data Catalog cannot be read: {0}")]
    Read(String),
    #[error(
        "the crawler made no table in database {database}: nothing that it knows lies in {source_url}. \
         Put at least one file of the raw data there, and deploy again"
    )]
    NoTable { database: String, source_url: String },
    #[error(
        "database {database} has no table `{table}`; the crawler made {}. Set TableName to the one \
         with the raw data, or move what does not belong to it out of {source_url}",
        found.join(", ")
    )]
    OtherTables { database: String, table: String, found: Vec<String>, source_url: String },
    #[error(
        "table `{table}` lies in {location}, and the raw data in {source_url}: it was made for another \
         folder. Set TableName to the right one; database {database} has {}", found.join(", ")
    )]
    Elsewhere {
        database: String,
        table: String,
        location: String,
        source_url: String,
        found: Vec<String>,
    },
    #[error("table `{0}` has no columns: the crawler could not tell what the files hold")]
    NoColumns(String),
}

/// Reads the table; where it is not there, says which tables are.
pub(crate) async fn table(
    glue: &Client,
    database: &str,
    table: &str,
    source_url: &str,
) -> Result<Table, CatalogError> {
    // Crawlers write names in lower case.
    let name = table.to_lowercase();
    let found = match glue.get_table().database_name(database).name(&name).send().await {
        Ok(found) => found.table,
        Err(fault)
            if fault.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) =>
        {
            None
        }
        Err(fault) => return Err(CatalogError::Read(in_words(&fault))),
    };
    let Some(found) = found else {
        let found = tables(glue, database).await?;
        let (database, source_url) = (database.to_owned(), source_url.to_owned());
        return Err(if found.is_empty() {
            CatalogError::NoTable { database, source_url }
        } else {
            CatalogError::OtherTables { database, table: table.to_owned(), found, source_url }
        });
    };
    let table = read(found);
    let location = &table.storage_descriptor.location;
    if !location.is_empty() && folder(location) != folder(source_url) {
        return Err(CatalogError::Elsewhere {
            database: database.to_owned(),
            location: location.clone(),
            source_url: source_url.to_owned(),
            found: tables(glue, database).await?,
            table: table.name,
        });
    }
    if table.storage_descriptor.columns.is_empty() {
        return Err(CatalogError::NoColumns(table.name));
    }
    Ok(table)
}

/// The same folder is written with and without a slash at its end.
fn folder(url: &str) -> &str {
    url.trim_end_matches('/')
}

/// The tables of a database, each with its location.
async fn tables(glue: &Client, database: &str) -> Result<Vec<String>, CatalogError> {
    let mut pages = glue.get_tables().database_name(database).into_paginator().send();
    let mut tables = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|fault| CatalogError::Read(in_words(&fault)))?;
        tables.extend(page.table_list().iter().map(|table| {
            let location = table.storage_descriptor().and_then(|storage| storage.location());
            match location {
                Some(location) => format!("{} ({location})", table.name()),
                None => table.name().to_owned(),
            }
        }));
    }
    tables.sort();
    Ok(tables)
}

fn read(table: sdk::Table) -> Table {
    Table {
        name: table.name,
        database_name: table.database_name.unwrap_or_default(),
        storage_descriptor: table.storage_descriptor.map(storage).unwrap_or_default(),
        partition_keys: columns(table.partition_keys),
        table_type: table.table_type.unwrap_or_default(),
        parameters: table.parameters.unwrap_or_default().into_iter().collect(),
    }
}

fn storage(storage: sdk::StorageDescriptor) -> StorageDescriptor {
    let serde_info = storage.serde_info.map(|serde| SerdeInfo {
        serialization_library: serde.serialization_library.unwrap_or_default(),
        parameters: serde.parameters.unwrap_or_default().into_iter().collect(),
    });
    StorageDescriptor {
        columns: columns(storage.columns),
        location: storage.location.unwrap_or_default(),
        input_format: storage.input_format.unwrap_or_default(),
        output_format: storage.output_format.unwrap_or_default(),
        compressed: storage.compressed,
        number_of_buckets: storage.number_of_buckets.into(),
        serde_info: serde_info.unwrap_or_default(),
        parameters: storage.parameters.map(BTreeMap::from_iter).unwrap_or_default(),
        stored_as_sub_directories: storage.stored_as_sub_directories,
    }
}

fn columns(columns: Option<Vec<sdk::Column>>) -> Vec<Column> {
    let column = |column: sdk::Column| Column {
        name: column.name,
        type_name: column.r#type.unwrap_or_default(),
    };
    columns.unwrap_or_default().into_iter().map(column).collect()
}

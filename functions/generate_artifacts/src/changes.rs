//! What has changed between two crawls.

use std::fmt;

use personalize_plan::glue::{Column, Table};
use serde::Serialize;

/// Columns that came, went, or have another type; partition keys count as columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct SchemaChanges {
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) retyped: Vec<Retyped>,
}

/// A column with another type than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Retyped {
    pub(crate) name: String,
    pub(crate) from: String,
    pub(crate) to: String,
}

impl SchemaChanges {
    pub(crate) fn between(old: &Table, new: &Table) -> Self {
        let find = |table: &Table, name: &str| -> Option<Column> {
            table.column(name).or_else(|| table.partition_key(name)).cloned()
        };
        let mut changes = Self::default();
        for column in columns(new) {
            match find(old, &column.name) {
                None => changes.added.push(column.name.clone()),
                Some(before) if before.type_name != column.type_name => {
                    changes.retyped.push(Retyped {
                        name: column.name.clone(),
                        from: before.type_name,
                        to: column.type_name.clone(),
                    });
                }
                Some(_) => {}
            }
        }
        let gone = columns(old).filter(|column| find(new, &column.name).is_none());
        changes.removed = gone.map(|column| column.name.clone()).collect();
        changes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    pub(crate) fn count(&self) -> usize {
        self.added.len() + self.removed.len() + self.retyped.len()
    }
}

fn columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.storage_descriptor.columns.iter().chain(&table.partition_keys)
}

impl fmt::Display for SchemaChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retyped: Vec<String> =
            self.retyped.iter().map(|c| format!("{} ({} -> {})", c.name, c.from, c.to)).collect();
        let parts: Vec<String> =
            [("added", &self.added), ("removed", &self.removed), ("retyped", &retyped)]
                .into_iter()
                .filter(|(_, names)| !names.is_empty())
                .map(|(what, names)| format!("{what}: {}", names.join(", ")))
                .collect();
        f.write_str(if parts.is_empty() { "none" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, &str)]) -> Table {
        let mut table = Table::default();
        table.storage_descriptor.columns = columns
            .iter()
            .map(|(name, type_name)| Column {
                name: (*name).into(),
                type_name: (*type_name).into(),
            })
            .collect();
        table
    }

    #[test]
    fn columns_are_compared_by_name_and_type() {
        let old = table(&[("user_id", "string"), ("price", "int"), ("gone", "string")]);
        let mut new = table(&[("price", "double"), ("USER_ID", "string")]);
        new.partition_keys = vec![Column { name: "year".into(), type_name: "string".into() }];
        let changes = SchemaChanges::between(&old, &new);
        assert_eq!(
            changes.to_string(),
            "added: year; removed: gone; retyped: price (int -> double)"
        );
        assert_eq!(changes.count(), 3);
        assert!(SchemaChanges::between(&new, &new).is_empty());
    }
}

//! Which of a file's columns the plan needs.

use arrow_schema::{DataType, Fields};

use crate::projection::{NodeId, Projection};

/// The leaves of a schema that the projection wants, counted in the order that the schema has
/// them; the first, where it wants none, since rows are counted by it.
pub(crate) fn wanted_leaves(fields: &Fields, projection: &Projection) -> Vec<usize> {
    let mut leaves = Leaves { projection, next: 0, wanted: Vec::new() };
    let everything = projection.node(Projection::ROOT).slot.is_some();
    leaves.members(fields, &[Projection::ROOT], everything);
    if leaves.wanted.is_empty() {
        leaves.wanted.push(0);
    }
    leaves.wanted
}

/// The names of the columns at the top that the projection wants, as the schema has them.
pub(crate) fn wanted_columns<'a>(
    names: impl Iterator<Item = &'a str>,
    projection: &Projection,
) -> Vec<&'a str> {
    let root = projection.node(Projection::ROOT);
    let mut names = names.peekable();
    let first = names.peek().copied();
    let is_wanted = |name: &&str| root.slot.is_some() || root.find_decoded(name).is_some();
    let wanted: Vec<_> = names.filter(is_wanted).collect();
    if wanted.is_empty() { first.into_iter().collect() } else { wanted }
}

struct Leaves<'a> {
    projection: &'a Projection,
    next: usize,
    wanted: Vec<usize>,
}

impl Leaves<'_> {
    /// Goes over what lies at some places of the projection; `whole` says that all of it is wanted.
    fn walk(&mut self, data_type: &DataType, nodes: &[NodeId], whole: bool) {
        let whole = whole || nodes.iter().any(|node| self.projection.node(*node).slot.is_some());
        let each = |node: &NodeId| self.projection.node(*node).each;
        match data_type {
            DataType::Struct(fields) => {
                // A struct where an array was expected is one element.
                let nodes: Vec<NodeId> =
                    nodes.iter().copied().chain(nodes.iter().filter_map(each)).collect();
                let whole =
                    whole || nodes.iter().any(|node| self.projection.node(*node).slot.is_some());
                self.members(fields, &nodes, whole);
            }
            DataType::List(field)
            | DataType::LargeList(field)
            | DataType::FixedSizeList(field, _) => {
                let by_index = nodes.iter().flat_map(|node| {
                    self.projection.node(*node).by_index.iter().map(|(_, node)| *node)
                });
                let nodes: Vec<NodeId> = nodes.iter().filter_map(each).chain(by_index).collect();
                self.walk(field.data_type(), &nodes, whole);
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(fields) = entries.data_type() else { return };
                let members: Vec<NodeId> = nodes
                    .iter()
                    .flat_map(|node| self.projection.node(*node).names().map(|(_, node)| node))
                    .collect();
                let wanted = whole || !members.is_empty();
                if let Some(key) = fields.first() {
                    self.walk(key.data_type(), &[], wanted);
                }
                if let Some(value) = fields.get(1) {
                    self.walk(value.data_type(), &members, whole);
                }
            }
            _ => {
                if whole || !nodes.is_empty() {
                    self.wanted.push(self.next);
                }
                self.next += 1;
            }
        }
    }

    fn members(&mut self, fields: &Fields, nodes: &[NodeId], whole: bool) {
        for field in fields {
            let member = |node: &NodeId| self.projection.node(*node).find_decoded(field.name());
            let members: Vec<NodeId> = nodes.iter().filter_map(member).collect();
            self.walk(field.data_type(), &members, whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::Field;

    use super::*;

    fn leaves(paths: &[&str]) -> Vec<usize> {
        let field = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
        let product = DataType::Struct(
            vec![field("sku", DataType::Utf8), field("price", DataType::Float64)].into(),
        );
        let entries = DataType::Struct(
            vec![field("key", DataType::Utf8), field("value", DataType::Utf8)].into(),
        );
        let fields: Fields = vec![
            field("userId", DataType::Utf8),
            field("products", DataType::List(field("item", product))),
            field("tags", DataType::Map(field("entries", entries), false)),
            field("ts", DataType::Int64),
        ]
        .into();
        let mut projection = Projection::empty();
        for path in paths {
            projection.add(&path.parse().unwrap());
        }
        wanted_leaves(&fields, &projection)
    }

    #[test]
    fn only_needed_leaves_are_wanted() {
        assert_eq!(leaves(&["USERID", "ts"]), [0, 5]);
        assert_eq!(leaves(&["products[].price"]), [2]);
        assert_eq!(leaves(&["products[0].sku", "tags.color"]), [1, 3, 4]);
        assert_eq!(leaves(&["products"]), [1, 2]);
        assert_eq!(leaves(&["absent"]), [0]);
    }
}

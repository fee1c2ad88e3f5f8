//! Parameters and a table to a plan, or to the reason why not; and the plan's renderings.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use personalize_plan::glue::{Column, Table};
use personalize_plan::{
    Artifacts, Conversion, ConversionPlan, Dataset, Domain, FieldSource, Parameters, PlanError,
    SourceFormat, resolve,
};

fn table(columns: &[(&str, &str)]) -> Table {
    let mut table = Table { name: "events".into(), ..Table::default() };
    table.parameters.insert("classification".into(), "json".into());
    table.storage_descriptor.columns = columns
        .iter()
        .map(|(name, type_name)| Column {
            name: (*name).to_owned(),
            type_name: (*type_name).to_owned(),
        })
        .collect();
    table
}

fn segment() -> Table {
    let mut table = table(&[
        ("event", "string"),
        (
            "properties",
            "struct<sku:string,price:double,gift:boolean,tags:array<string>,products:array<struct<sku:string,price:double>>,coupons:array<struct<code:string>>>",
        ),
        ("timestamp", "string"),
        ("userid", "string"),
    ]);
    let serde = &mut table.storage_descriptor.serde_info;
    serde.parameters.insert("paths".into(), "event,properties,timestamp,userId".into());
    table.partition_keys = vec![Column { name: "year".into(), type_name: "string".into() }];
    table
}

const SEGMENT: [(&str, &str); 4] = [
    ("SourceColumnUserId", "userId"),
    ("SourceColumnItemId", "properties.sku"),
    ("SourceColumnEventType", "event"),
    ("SourceColumnTimestamp", "timestamp"),
];

fn plan(table: &Table, pairs: &[(&str, &str)]) -> Result<ConversionPlan, PlanError> {
    resolve(&Parameters::from_pairs(pairs.iter().copied()).unwrap(), table)
}

fn segment_plan(more: &[(&str, &str)]) -> Result<ConversionPlan, PlanError> {
    let pairs: Vec<_> = SEGMENT.iter().chain(more).copied().collect();
    plan(&segment(), &pairs)
}

fn names(plan: &ConversionPlan) -> Vec<&str> {
    plan.fields.iter().map(|field| field.name.as_str()).collect()
}

#[track_caller]
fn refused(result: Result<ConversionPlan, PlanError>, parts: &[&str]) {
    let fault = result.expect_err("no plan should be made").to_string();
    for part in parts {
        assert!(fault.contains(part), "`{part}` is missing in: {fault}");
    }
}

#[test]
fn the_mapped_columns_come_in_the_first_editions_order() {
    let useritem = table(&[
        ("type", "string"),
        ("item_id", "int"),
        ("user_id", "int"),
        ("event_type", "string"),
        ("event_value", "int"),
        ("timestamp", "int"),
    ]);
    let plan = plan(&useritem, &[]).unwrap();
    assert_eq!(names(&plan), ["ITEM_ID", "USER_ID", "EVENT_TYPE", "EVENT_VALUE", "TIMESTAMP"]);
    let types: Vec<_> = plan.fields.iter().map(|f| (f.conversion, f.nullable)).collect();
    assert_eq!(
        types,
        [
            (Conversion::Identifier, false),
            (Conversion::Identifier, false),
            (Conversion::EventType, false),
            (Conversion::Float, true),
            (Conversion::EpochSeconds, false),
        ]
    );
}

#[test]
fn a_default_column_that_is_not_there_is_left_out_and_noted() {
    let plan = segment_plan(&[]).unwrap();
    assert_eq!(names(&plan), ["ITEM_ID", "USER_ID", "EVENT_TYPE", "TIMESTAMP"]);
    assert!(plan.notes[0].contains("EVENT_VALUE is left out"), "{:?}", plan.notes);
}

#[test]
fn an_empty_source_or_destination_leaves_a_column_out() {
    let plan = segment_plan(&[("SourceColumnEventType", "")]).unwrap();
    assert_eq!(names(&plan), ["ITEM_ID", "USER_ID", "TIMESTAMP"]);
    let plan = segment_plan(&[("DestinationColumnEventType", "")]).unwrap();
    assert_eq!(names(&plan), ["ITEM_ID", "USER_ID", "TIMESTAMP"]);
}

#[test]
fn a_missing_column_is_named_with_what_there_is() {
    refused(
        plan(&segment(), &[]),
        &["SourceColumnItemId asks for `item_id`", "table `events`", "`userId`", "`year`"],
    );
    refused(
        segment_plan(&[("SourceColumnItemId", "properties.skuu")]),
        &["`properties` has no `skuu`", "did you mean `sku`?", "`price`"],
    );
    refused(
        segment_plan(&[("SourceColumnEventValue", "prices")]),
        &["SourceColumnEventValue asks for `prices`"],
    );
    refused(
        segment_plan(&[("SourceColumnItemId", "event.sku")]),
        &["`event` is string", "no members"],
    );
    refused(
        segment_plan(&[("SourceColumnItemId", "a..b")]),
        &["SourceColumnItemId: ", "empty name"],
    );
}

#[test]
fn paths_go_into_arrays_only_with_a_word_on_which_element() {
    refused(
        segment_plan(&[("SourceColumnItemId", "properties.products.sku")]),
        &["`properties.products[].sku`", "`properties.products[0].sku`"],
    );
    refused(
        segment_plan(&[("SourceColumnItemId", "properties.products")]),
        &["array<struct<", "`properties.products[]`"],
    );
    refused(segment_plan(&[("SourceColumnItemId", "properties.sku[0]")]), &["has no elements"]);
    let plan = segment_plan(&[
        ("SourceColumnItemId", "properties.products[].sku"),
        ("SourceColumnEventValue", "properties.Products[].price"),
    ])
    .unwrap();
    assert_eq!(plan.exploded_array().unwrap().to_string(), "properties.products");
    refused(
        segment_plan(&[
            ("SourceColumnItemId", "properties.products[].sku"),
            ("AdditionalColumns", "properties.coupons[].code:COUPON:string"),
        ]),
        &["properties.products[]", "properties.coupons[]", "only one array"],
    );
}

#[test]
fn a_partition_key_can_fill_a_column() {
    let plan = segment_plan(&[("AdditionalColumns", "Year:YEAR")]).unwrap();
    let year = plan.fields.last().unwrap();
    assert_eq!(year.source, FieldSource::PartitionKey("year".into()));
    assert_eq!(year.conversion, Conversion::Categorical);
}

#[test]
fn a_column_whose_name_has_dots_is_found_as_it_is_written() {
    let flat =
        table(&[("properties.sku", "string"), ("user_id", "string"), ("timestamp", "bigint")]);
    for written in ["properties.sku", "`properties.sku`"] {
        let plan = plan(&flat, &[("SourceColumnItemId", written)]).unwrap();
        assert!(plan.fields[0].source.path().unwrap().is_column());
    }
}

#[test]
fn additional_columns_take_their_type_from_the_table_where_none_is_given() {
    let plan = segment_plan(&[(
        "AdditionalColumns",
        "properties.price,properties.gift:GIFT,properties.tags,properties.sku:SKU:string",
    )])
    .unwrap();
    let added: Vec<_> = plan.fields[4..].iter().map(|f| (f.name.as_str(), f.conversion)).collect();
    assert_eq!(
        added,
        [
            ("PRICE", Conversion::Double),
            ("GIFT", Conversion::Boolean),
            ("TAGS", Conversion::Categorical),
            ("SKU", Conversion::Text),
        ]
    );
    assert!(plan.notes.iter().any(|note| note.starts_with("SKU is a plain string")));
}

#[test]
fn names_that_personalize_takes_for_the_same_are_refused() {
    refused(
        segment_plan(&[("AdditionalColumns", "properties.sku:GEN_RE,properties.gift:GENRE")]),
        &["`GEN_RE` and `GENRE`", "underscores"],
    );
    refused(
        segment_plan(&[("AdditionalColumns", "properties.sku:ITEM_ID")]),
        &["`ITEM_ID` and `ITEM_ID`"],
    );
    refused(
        segment_plan(&[("AdditionalColumns", "properties.sku:2ND")]),
        &["`2ND` cannot be a column"],
    );
}

#[test]
fn reserved_fields_have_one_type() {
    refused(
        segment_plan(&[("AdditionalColumns", "properties.price:EVENT_VALUE:string")]),
        &["EVENT_VALUE a string", "reserves it as float"],
    );
    refused(
        segment_plan(&[("AdditionalColumns", "properties.tags:IMPRESSION:string:categorical")]),
        &["IMPRESSION", "categorical"],
    );
    let plan = segment_plan(&[("AdditionalColumns", "properties.tags:impression")]).unwrap();
    assert_eq!(plan.fields.last().unwrap().name, "IMPRESSION");
    assert_eq!(plan.fields.last().unwrap().conversion, Conversion::List);
}

#[test]
fn datasets_have_limits_for_own_fields() {
    let columns: Vec<String> = (0..6).map(|n| format!("properties.price:P{n}:float")).collect();
    refused(
        segment_plan(&[("AdditionalColumns", &columns.join(","))]),
        &["Interactions takes at most 5 metadata fields", "P5"],
    );
    let users = [("PersonalizeDatasetName", "Users"), ("SourceColumnUserId", "userId")];
    refused(plan(&table(&[("userid", "string")]), &users), &["at least one metadata field"]);
    refused(
        segment_plan(&[("AdditionalColumns", "properties.sku:ABOUT:string:textual")]),
        &["ABOUT", "textual fields in Items only"],
    );
    let events: Vec<String> = (0..9).map(|n| format!("e{n}")).collect();
    refused(
        segment_plan(&[
            ("EventTypes", &events.join(",")),
            ("AdditionalColumns", "properties.price:PRICE:float"),
        ]),
        &["at most 10", "11"],
    );
}

#[test]
fn required_fields_must_be_filled_under_their_names() {
    refused(
        segment_plan(&[("DestinationColumnUserId", "customer")]),
        &["requires USER_ID in Interactions", "DestinationColumnUserId"],
    );
    let lower = segment_plan(&[("DestinationColumnUserId", "user_id")]).unwrap();
    assert!(names(&lower).contains(&"USER_ID"));
    refused(
        plan(
            &table(&[("user_id", "string"), ("item_id", "string"), ("timestamp", "bigint")]),
            &[("PersonalizeDomain", "ECOMMERCE")],
        ),
        &["SourceColumnEventType asks for `event_type`"],
    );
    refused(
        plan(
            &table(&[("item_id", "string"), ("price", "double")]),
            &[("PersonalizeDatasetName", "Items"), ("PersonalizeDomain", "ECOMMERCE")],
        ),
        &["requires CATEGORY_L1", "ECOMMERCE", "AdditionalColumns"],
    );
    refused(
        segment_plan(&[("PersonalizeDatasetName", "Actions"), ("PersonalizeDomain", "ECOMMERCE")]),
        &["custom dataset groups only"],
    );
}

#[test]
fn event_types_need_a_column() {
    refused(
        plan(
            &table(&[("user_id", "string"), ("item_id", "string"), ("timestamp", "bigint")]),
            &[("EventTypes", "View")],
        ),
        &["no event type", "event_type"],
    );
    let plan = segment_plan(&[("EventTypes", "View"), ("DestinationColumnEventType", "")]).unwrap();
    assert_eq!(plan.filter.unwrap().event_types, ["View"]);
}

#[test]
fn catalogues_take_every_other_scalar_column() {
    let users = table(&[
        ("user_id", "string"),
        ("age", "int"),
        ("memberSince", "timestamp"),
        ("tags", "array<string>"),
        ("address", "struct<city:string>"),
        ("active", "boolean"),
    ]);
    let plan = plan(&users, &[("PersonalizeDatasetName", "User")]).unwrap();
    let fields: Vec<_> = plan.fields.iter().map(|f| (f.name.as_str(), f.conversion)).collect();
    assert_eq!(
        fields,
        [
            ("USER_ID", Conversion::Identifier),
            ("AGE", Conversion::Long),
            ("MEMBER_SINCE", Conversion::EpochSeconds),
            ("TAGS", Conversion::Categorical),
            ("ACTIVE", Conversion::Boolean),
        ]
    );
    assert!(plan.notes.iter().any(|note| note.contains("left out: address")));

    let many: Vec<String> = (0..30).map(|n| format!("c{n}")).collect();
    let mut columns: Vec<(&str, &str)> =
        many.iter().map(|name| (name.as_str(), "string")).collect();
    columns.push(("user_id", "string"));
    let plan = self::plan(&table(&columns), &[("PersonalizeDatasetName", "Users")]).unwrap();
    assert_eq!(plan.fields.len(), 26);
    assert!(plan.notes.iter().any(|note| note.contains("at most 25 metadata fields")));
}

#[test]
fn output_folders_stay_apart_from_the_source_and_each_other() {
    let one_bucket = [("SourceBucketName", "b"), ("DestinationBucketName", "b")];
    let with = |more: &[(&'static str, &'static str)]| {
        segment_plan(&one_bucket.iter().chain(more).copied().collect::<Vec<_>>())
    };
    assert!(with(&[]).is_ok());
    refused(with(&[("DestinationDataPrefix", "source/out/")]), &["raw data", "source/out"]);
    refused(with(&[("SourceDataPrefix", "/")]), &["DestinationDataPrefix", "raw data"]);
    assert!(with(&[("DestinationDataPrefix", "source-out")]).is_ok());
    refused(with(&[("IncrementalDataPrefix", "converted/new")]), &["a folder of its own"]);
    refused(with(&[("RejectedDataPrefix", "converted")]), &["a folder of its own"]);
}

#[test]
fn formats_that_are_not_read_are_named() {
    let mut table = segment();
    let mut classified = |name: &str| {
        table.parameters.insert("classification".into(), name.into());
        table.clone()
    };
    refused(plan(&classified("dynamodb"), &SEGMENT), &["classified as dynamodb", "parquet"]);
    refused(plan(&classified("grok"), &SEGMENT), &["no parameter `grokPattern`"]);
    refused(plan(&classified("xml"), &SEGMENT), &["no parameter `rowTag`"]);
}

#[test]
fn formats_are_read_as_their_tables_say() {
    let format = |classification: &str, parameters: &[(&str, &str)]| {
        let mut table = segment();
        table.parameters.insert("classification".into(), classification.into());
        for (name, value) in parameters {
            table.parameters.insert((*name).into(), (*value).into());
        }
        plan(&table, &SEGMENT).unwrap().source.format
    };
    assert_eq!(format("parquet", &[]), SourceFormat::Parquet);
    assert_eq!(format("orc", &[]), SourceFormat::Orc);
    let xml = SourceFormat::Xml { row_tag: "event".into() };
    assert_eq!(format("xml", &[("rowTag", "event")]), xml);
    let own = [("grokPattern", "%{IP:ip} %{SHOP:shop}"), ("grokCustomPatterns", "SHOP [a-z]+")];
    let SourceFormat::Grok(grok) = format("shop-logs", &own) else { panic!("it is a log") };
    assert_eq!((grok.pattern.as_str(), grok.custom_patterns.as_str()), (own[0].1, own[1].1));
    assert!(matches!(format("combined_apache", &[]), SourceFormat::Grok(_)));
}

#[test]
fn a_plan_reads_back_from_its_text_and_other_versions_are_refused() {
    let plan = segment_plan(&[
        ("EventTypes", "Order Completed"),
        ("SourceColumnItemId", "properties.products[].sku"),
        ("TimestampFormat", "dd/MM/yyyy HH:mm"),
    ])
    .unwrap();
    let text = Artifacts::render(&plan).unwrap().plan;
    assert_eq!(ConversionPlan::from_json(&text).unwrap(), plan);
    let other = text.replacen("\"plan_version\": 1", "\"plan_version\": 99", 1);
    assert!(ConversionPlan::from_json(&other).unwrap_err().to_string().contains("version 99"));
}

/// A table that fills every dataset of every domain.
fn everything() -> Table {
    table(&[
        ("user_id", "string"),
        ("item_id", "string"),
        ("action_id", "string"),
        ("event_type", "string"),
        ("event_value", "double"),
        ("timestamp", "bigint"),
        ("price", "double"),
        ("category_l1", "string"),
        ("genres", "array<string>"),
        ("creation_timestamp", "bigint"),
        ("subscription_model", "string"),
    ])
}

#[test]
fn the_schema_of_every_dataset_and_domain_is_avro() {
    let domains = [None, Some(Domain::Ecommerce), Some(Domain::VideoOnDemand)];
    for dataset in Dataset::ALL {
        for domain in domains.into_iter().filter(|d| d.is_none() || dataset.exists_in_domains()) {
            let pairs = [
                ("PersonalizeDatasetName", dataset.name()),
                ("PersonalizeDomain", domain.map_or("", Domain::name)),
            ];
            let plan = plan(&everything(), &pairs).unwrap();
            let schema = Artifacts::render(&plan).unwrap().schema;
            let parsed = apache_avro::Schema::parse_str(&schema)
                .unwrap_or_else(|fault| panic!("{dataset} {domain:?}: {fault}\n{schema}"));
            let apache_avro::Schema::Record(record) = parsed else { panic!("{schema}") };
            assert_eq!(record.name.name(), dataset.name());
            assert_eq!(record.fields.len(), plan.fields.len());
            for rule in dataset.fields(domain).iter().filter(|rule| rule.required) {
                assert!(record.fields.iter().any(|f| f.name == rule.name), "{dataset} {rule:?}");
            }
        }
    }
}

#[test]
fn text_from_parameters_stays_inside_its_literals() {
    let hostile = "x'); DROP TABLE t; --\"\"\" \\ {{y}}";
    let mut table = segment();
    table.name = "ta\"\"\"ble`".into();
    let pairs: Vec<_> = SEGMENT.into_iter().chain([("EventTypes", hostile)]).collect();
    let plan = plan(&table, &pairs).unwrap();
    let artifacts = Artifacts::render(&plan).unwrap();
    let sql = hostile.replace('\'', "''");
    assert!(artifacts.explore_sql.contains(&format!("IN ('{sql}')")));
    assert!(artifacts.unload_sql.contains(&sql.replace('\'', "''")));
    assert!(artifacts.conversion_job.contains(r#"TABLE = 'ta"""ble`'"#));
}

#[test]
fn a_table_made_by_hand_is_read_as_its_serde_reads_it() {
    let mut hand_made =
        table(&[("user_id", "string"), ("item_id", "string"), ("timestamp", "bigint")]);
    hand_made.parameters.clear();
    refused(plan(&hand_made, &[]), &["classified as nothing"]);
    let serde = &mut hand_made.storage_descriptor.serde_info;
    serde.serialization_library = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe".into();
    let csv = |table: &Table| match plan(table, &[]).unwrap().source.format {
        SourceFormat::Csv(csv) => (csv.delimiter, csv.header, csv.skipped_lines),
        other => panic!("it is delimited, not {other:?}"),
    };
    assert_eq!(csv(&hand_made), ('\u{1}', false, 0));
    let serde = &mut hand_made.storage_descriptor.serde_info;
    serde.parameters.insert("field.delim".into(), "\\t".into());
    hand_made.parameters.insert("skip.header.line.count".into(), "1".into());
    assert_eq!(csv(&hand_made), ('\t', true, 0));
    hand_made.parameters.insert("skip.header.line.count".into(), "2".into());
    assert_eq!(csv(&hand_made), ('\t', false, 2));
    hand_made.parameters.insert("skip.header.line.count".into(), "two".into());
    refused(plan(&hand_made, &[]), &["skip.header.line.count `two`"]);
    hand_made.parameters.insert("skip.header.line.count".into(), "0".into());
    let notes = |table: &Table| plan(table, &[]).unwrap().notes.join("\n");
    hand_made.parameters.insert("escapeChar".into(), "\\".into());
    assert!(notes(&hand_made).contains("escapeChar"));
    assert!(!notes(&hand_made).contains("007"));
    hand_made.storage_descriptor.columns[0].type_name = "bigint".into();
    assert!(notes(&hand_made).contains("reads USER_ID as the table's bigint"));
}

#[test]
fn an_actions_identifier_is_an_items_only_if_somebody_says_so() {
    let pairs = [("PersonalizeDatasetName", "ActionInteractions")];
    let source = |pairs: &[(&str, &str)]| {
        let plan = plan(&everything(), pairs).unwrap();
        assert_eq!(names(&plan), ["ACTION_ID", "USER_ID", "EVENT_TYPE", "TIMESTAMP"]);
        plan.fields[0].source.path().unwrap().to_string()
    };
    assert_eq!(source(&pairs), "action_id");
    assert_eq!(source(&[pairs[0], ("SourceColumnItemId", "genres[0]")]), "genres[0]");
}

import Libpq

/// The admin tables, column by column.
enum AdminTables {
  struct Table {
    let name: String
    let keyColumn: SQL
    /// Whether the key column is a primary key.
    var hasKey: Bool { keyColumn.text.hasSuffix("PRIMARY KEY") }
    /// A run may have any number of rows, in the order of their ids.
    var hasManyRows: Bool { keyColumn.text == "id bigserial PRIMARY KEY" }
    /// Their definitions, the name first.
    let columns: [SQL]
  }

  static let productionSchema: SQL = "production_schema text"
  static let stagingSchema: SQL = "staging_schema text"

  static let all = [
    Table(
      name: "merge_summary",
      keyColumn: "id serial PRIMARY KEY",
      columns: [
        "merge_start timestamp", "merge_end timestamp", "status varchar(20)", "notes text", "parameters jsonb",
        "engine_version text", "warnings jsonb",
        // Why a running merge begins no batch; NULL when it does.
        "paused_because text",
      ]
    ),
    Table(
      name: "merge_logs",
      keyColumn: "id serial PRIMARY KEY",
      columns: [
        "table_name varchar(100)", "merge_time timestamp", "records_updated bigint", "records_inserted bigint",
        "run_id integer", "records_read bigint", "records_unchanged bigint", "records_stale bigint",
        "records_duplicate bigint", "records_error bigint", "lost_races bigint", "batches bigint", "elapsed_ms bigint",
        // Which table that is, and the window of its versions as text that no setting changes.
        stagingSchema, productionSchema, "version_from text", "version_to text",
        // Extra rows that a repair has deleted.
        "records_deleted bigint",
        // Pages of production that were visited, and those of them that had to be read.
        "pages_visited bigint", "pages_read bigint",
      ]
    ),
    Table(
      name: "merge_errors",
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        "run_id integer", "table_name text", "row_key jsonb", "sqlstate text", "message text", "detail text",
        "row_data jsonb", "failed_at timestamp", "retried_at timestamp", "snapshot_id text", "snapshot_row bigint",
        // Set by `errors dismiss`.
        "dismissed_at timestamp", "dismissed_because text",
        // What tells whether the staging row is still there as it was refused.
        "staging_source text", "staging_file_node bigint", "staging_address tid", "staging_xmin bigint",
        stagingSchema, productionSchema,
        // A table that is renamed keeps its refusals.
        "production_oid bigint",
      ]
    ),
    // What of which staging is merged. A row is written in the transaction of the rows it speaks of.
    Table(
      name: ProgressTable.name,
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        "run_id integer", "table_name text", "production_oid bigint",
        // The staging table, or the snapshot and its table; and what tells its content from any other.
        "staging text", "source text", "file_node bigint",
        "place_start tid", "place_end tid", "first_row bigint", "row_count bigint",
        "horizon bigint", "recent bigint[]", "next_id bigint", "version_from text", "version_to text", "marker bigint",
        // Rows that are to be read again, which is all that such an entry says, or have been.
        "reopened tid[]", "settled tid[]",
        // In the place of addresses a stretch of keys: whole numbers, or texts.
        "key_columns text[]", "key_start bigint[]", "key_end bigint[]", "key_text_start text[]", "key_text_end text[]",
        // Of an entry about all of a table the file that it lay in then. The entry holds in any other, too.
        "whole_file_node bigint",
        // How versions were read for the window, where that is not the column updated_at as it is.
        "version_reading text",
        // By what key rows were matched; nothing in entries of versions before.
        "matched_by text",
        // Where the production table was then: one that was moved away, and another made in its place, is told by it.
        "production_schema text",
        "records bigint", "recorded_at timestamp", "superseded_at timestamp",
      ]
    ),
    // A row a batch: when, by which worker, and what it came to. What the report draws its rates from.
    Table(
      name: "merge_batches",
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        "run_id integer", "table_name text", "worker integer", "started_at timestamp", "finished_at timestamp",
        "records_read bigint", "records_inserted bigint", "records_updated bigint", "records_unchanged bigint",
        "records_stale bigint", "records_duplicate bigint", "records_error bigint", "lost_races bigint",
        "elapsed_ms bigint",
        // Of several pairs of schemas two may have a table of that name.
        productionSchema,
      ]
    ),
    // What runs were asked to do from other terminals.
    Table(
      name: RunControls.name,
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        "run_id integer", "action text", "value bigint", "requested_at timestamp", "requested_by text",
        "taken_at timestamp",
      ]
    ),
    Table(
      name: "merge_verifications",
      keyColumn: "id bigserial PRIMARY KEY",
      columns: [
        "run_id integer", "verified_at timestamp", "report jsonb",
      ]
    ),
    Table(
      name: "before_images",
      keyColumn: "image_oid oid PRIMARY KEY",
      columns: [
        "run_id integer", "schema_name text", "table_name text", "image_table text", "production_oid oid",
        "key_column_count integer", "created_at timestamp", "created_xid bigint", "records_restored bigint DEFAULT 0",
        "records_deleted bigint DEFAULT 0", "dropped_at timestamp",
        // The highest number of a column of production then: one with a higher number is another, whatever it is called.
        "last_column integer",
      ]
    ),
  ]
}

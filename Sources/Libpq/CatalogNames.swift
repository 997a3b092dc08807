/// The names of pg_catalog that statements of this package use without their schema.
///
/// One that is missing here would be looked for along the search_path: `.ci/sql` reads these lists, and fails when SQL in the
/// sources uses another one.
enum CatalogNames {
  /// Functions, aggregates and window functions.
  ///
  /// Not among them: what the grammar itself takes for a function of pg_catalog, as `coalesce`, `greatest` and `extract`.
  static let functions = names(
    """
    abs age array_agg array_lower array_ndims array_position array_to_json array_to_string array_to_tsvector avg
    bit_xor bool_and bool_or
    cardinality ceil char_length clock_timestamp concat concat_ws corr count current_database current_schemas current_setting
    dense_rank encode first_value float8send floor format format_type
    generate_series generate_subscripts
    has_any_column_privilege has_column_privilege has_database_privilege has_function_privilege has_schema_privilege
    has_sequence_privilege has_table_privilege has_type_privilege hash_record_extended
    hashtextextended
    int4in int4range int8range isempty isfinite
    json_agg json_build_object jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_build_array jsonb_build_object
    jsonb_each jsonb_each_text jsonb_object_agg jsonb_object_keys jsonb_pretty jsonb_set jsonb_strip_nulls jsonb_typeof
    lag lead left length lower ltrim make_interval max md5 min mod now ntile num_nonnulls num_nulls octet_length
    parse_ident percentile_cont percentile_disc pg_advisory_lock pg_advisory_unlock pg_advisory_unlock_all pg_advisory_xact_lock
    pg_advisory_xact_lock_shared pg_backend_pid pg_blocking_pids pg_cancel_backend pg_column_size pg_control_checkpoint
    pg_control_system pg_current_snapshot pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn
    pg_current_xact_id pg_current_xact_id_if_assigned pg_database_size pg_describe_object pg_encoding_to_char pg_export_snapshot
    pg_get_constraintdef pg_get_expr pg_get_functiondef pg_get_indexdef pg_get_partition_constraintdef pg_get_partkeydef
    pg_get_ruledef pg_get_serial_sequence
    pg_get_triggerdef pg_get_userbyid pg_get_viewdef pg_has_role pg_indexes_size pg_is_in_recovery pg_last_wal_replay_lsn
    pg_logical_emit_message pg_options_to_table pg_partition_ancestors pg_partition_root pg_partition_tree pg_postmaster_start_time
    pg_relation_filenode pg_relation_is_publishable pg_relation_size pg_size_bytes pg_sleep pg_snapshot_xmax pg_snapshot_xmin
    pg_stat_get_tuples_hot_updated pg_stat_get_tuples_updated pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit
    pg_stat_get_xact_tuples_inserted pg_stat_get_xact_tuples_updated
    pg_table_is_visible pg_table_size pg_terminate_backend
    pg_total_relation_size pg_try_advisory_lock pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared
    pg_type_is_visible pg_wal_lsn_diff pg_xact_status
    power
    quote_ident quote_literal quote_nullable
    random range_agg rank record_send regexp_matches regexp_replace regexp_split_to_table repeat replace reverse right round row_number row_security_active row_to_json
    rtrim
    set_config sha256 shobj_description split_part starts_with statement_timestamp string_agg string_to_array strpos sum system textout
    to_char to_json to_jsonb to_regclass to_regtype to_timestamp translate trunc ts_stat txid_current txid_status
    unnest upper version width_bucket
    """
  )

  /// Types, but for those whose names are keywords, which the grammar itself takes for types of pg_catalog.
  static let types = names(
    """
    bool bpchar bytea cid cidr date float4 float8 inet int2 int2vector int4 int8 int8multirange json jsonb macaddr money name oid oidvector
    pg_lsn pg_snapshot point regclass regnamespace regoper regoperator regproc regprocedure regrole regtype text tid timestamptz
    timetz uuid xid xid8 xml
    """
  )

  /// Tables and views.
  static let relations = names(
    """
    pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_available_extensions pg_cast pg_class pg_collation
    pg_config pg_constraint pg_database pg_db_role_setting pg_depend pg_description pg_enum pg_event_trigger pg_extension
    pg_foreign_server pg_foreign_table pg_index pg_indexes pg_inherits pg_language pg_locks pg_namespace pg_opclass pg_operator
    pg_opfamily pg_partitioned_table pg_policies pg_policy pg_prepared_xacts pg_proc pg_publication pg_publication_rel
    pg_publication_tables
    pg_range pg_replication_slots pg_rewrite pg_roles pg_rules pg_sequence pg_sequences pg_settings pg_shdepend
    pg_stat_activity pg_stat_all_indexes pg_stat_all_tables pg_stat_database pg_stat_progress_copy pg_stat_replication
    pg_stat_user_tables pg_stat_wal pg_statio_all_tables pg_statistic_ext pg_stats pg_subscription pg_tables pg_tablespace
    pg_trigger pg_type pg_views
    """
  )

  private static func names(_ list: StaticString) -> Set<String> {
    Set(list.description.split { $0.isWhitespace }.map(String.init))
  }
}

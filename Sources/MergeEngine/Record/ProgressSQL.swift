import Libpq

/// The ledger's question as plain SQL, for the monitoring view and for commands that count: what of a staging table is
/// merged.
///
/// The same rules as in ``Coverage``, row by row. A merge asks in another way, since it knows the entries beforehand.
struct ProgressSQL {
  /// The staging table, in production's database.
  let staging: SQL
  /// The same, quoted, as a constant.
  let stagingLiteral: SQL
  /// Its production table, quoted, as a constant; what is merged into another one is another matter.
  let productionLiteral: SQL
  /// The schema of that, as a constant.
  let productionSchema: SQL
  /// The version column and its type, for entries of a window; nil where there is none.
  let version: (value: SQL, type: SQL)?
  let admin: Identifier
  /// The server's number, as far as it is to be had (``StagingSource/server(_:)``).
  let server: SQL?

  /// The identities that ``StagingSource`` gives a table of production's database.
  static func isOf(_ identity: SQL, oid: SQL, server: SQL?) -> SQL {
    let former: SQL = "concat('table ', \(oid))"
    return server.map { "\(identity) IN (\(former), concat('table ', \(oid), ' ', \($0)))" }
      ?? "\(identity) = \(former)"
  }

  private func isOfStaging(_ identity: SQL) -> SQL {
    Self.isOf(identity, oid: "\(stagingLiteral)::regclass::oid", server: server)
  }

  /// total_records, pending_records, processed_records, error_records.
  ///
  /// A run of small batches leaves thousands of entries. So places that stand under the same horizon are put together, which
  /// leaves some few for a whole run, and single addresses and marks are joined: no row is held against every entry.
  var counts: SQL {
    """
    WITH \(presentKey), p AS MATERIALIZED (
      SELECT id, place_start, place_end, version_from, version_to, reopened, settled, key_columns, key_start, key_end,
             key_text_start COLLATE "C" AS key_text_start, key_text_end COLLATE "C" AS key_text_end,
             CASE WHEN horizon > 0 THEN mod(horizon, 4294967296)::text::xid END AS horizon,
             ARRAY(SELECT mod(r, 4294967296)::text::xid FROM unnest(recent) AS r) AS recent,
             mod(marker, 4294967296)::text::xid AS marker
      FROM \(admin).merge_progress AS g
      WHERE \(isOfStaging("source"))
        AND production_oid = to_regclass(\(productionLiteral))::oid::bigint AND superseded_at IS NULL
        AND (file_node IS NULL OR file_node = pg_relation_filenode(\(stagingLiteral)::regclass)::bigint)
        -- How versions were read is known to the merge alone: such rows count as pending.
        AND NOT (\(hasWindow) AND \(Self.isReadOtherwise))
        AND NOT \(isMatchedOtherwise)
        -- Rows that are to be read again and lie elsewhere by now: all that was said before is forgotten.
        AND id > coalesce((SELECT max(later.id) FROM \(admin).merge_progress AS later
                           WHERE \(isOfStaging("later.source")) AND later.reopened IS NOT NULL AND later.superseded_at IS NULL
                             AND later.production_oid = to_regclass(\(productionLiteral))::oid::bigint
                             AND later.file_node <> pg_relation_filenode(\(stagingLiteral)::regclass)::bigint), 0)
        AND (coalesce(horizon, 0) = 0
             OR pg_snapshot_xmax(pg_current_snapshot())::text::bigint - horizon < 2147483648)
    ), places AS MATERIALIZED (
      SELECT \(Self.address("lower(g.place)")) AS place_start, \(Self.address("upper(g.place)")) AS place_end,
             g.horizon, g.recent, g.version_from, g.version_to
      FROM (SELECT unnest(range_agg(int8range(\(Self.number("place_start")), \(Self.number("place_end"))))) AS place,
                   horizon, recent, version_from, version_to
            FROM p WHERE reopened IS NULL AND settled IS NULL AND key_columns IS NULL
            GROUP BY horizon, recent, version_from, version_to) AS g
    ), stretches AS MATERIALIZED (
      -- Stretches of keys that meet are put together.
      SELECT k.key_columns, min(k.key_start) AS key_start, min(k.key_text_start) AS key_text_start,
             CASE WHEN NOT bool_or(k.is_open) THEN max(k.key_end) END AS key_end,
             CASE WHEN NOT bool_or(k.is_open) THEN max(k.key_text_end) END AS key_text_end,
             k.horizon, k.recent, k.version_from, k.version_to
      FROM (SELECT j.*, count(*) FILTER (WHERE j.begins)
                          OVER (PARTITION BY j.history, j.version_from, j.version_to, j.key_columns
                                ORDER BY j.key_start, j.key_text_start) AS island
            FROM (SELECT p.*, concat(p.horizon, p.recent) AS history, p.key_end IS NULL AND p.key_text_end IS NULL AS is_open,
                         coalesce(lag(p.key_end) OVER ordered <> p.key_start, lag(p.key_text_end) OVER ordered <> p.key_text_start, true)
                           AS begins
                  FROM p WHERE p.key_columns IS NOT NULL
                  WINDOW ordered AS (PARTITION BY concat(p.horizon, p.recent), p.version_from, p.version_to, p.key_columns
                                     ORDER BY p.key_start, p.key_text_start)) AS j) AS k
      GROUP BY k.island, k.key_columns, k.horizon, k.recent, k.version_from, k.version_to
    ), marks AS MATERIALIZED (
      SELECT marker AS xmin, max(id) AS id FROM p WHERE marker IS NOT NULL GROUP BY marker
    ), settled AS MATERIALIZED (
      SELECT DISTINCT ON (a.address) a.address, p.id, p.horizon, p.recent, p.version_from, p.version_to
      FROM p, unnest(p.settled) AS a (address)
      ORDER BY a.address, p.id DESC
    ), reopened AS MATERIALIZED (
      SELECT r.address, r.id
      FROM (SELECT a.address, max(p.id) AS id FROM p, unnest(p.reopened) AS a (address) GROUP BY a.address) AS r
      LEFT JOIN settled AS t ON t.address = r.address
      WHERE t.id IS NULL OR t.id < r.id
    ), others AS MATERIALIZED (
      -- Entries that are not looked at, since only the merge knows how versions were read.
      SELECT \(hasOthers) AS are_there
    ), refused AS MATERIALIZED (
      SELECT DISTINCT e.staging_address AS address, e.staging_xmin::text::xid AS xmin
      FROM \(admin).merge_errors AS e
      WHERE \(isOfStaging("e.staging_source")) AND e.retried_at IS NULL AND e.dismissed_at IS NULL
        AND (e.production_oid = to_regclass(\(productionLiteral))::oid::bigint OR e.production_schema = \(productionSchema))
        AND e.staging_file_node = pg_relation_filenode(\(stagingLiteral)::regclass)::bigint
    ), moved AS MATERIALIZED (
      -- Refused before staging was rewritten: such a row is known by its key.
      SELECT e.row_key::jsonb AS key, e.staging_xmin::text::xid AS xmin, row_number() OVER () AS number, count(*) AS refusals
      FROM \(admin).merge_errors AS e
      WHERE \(isOfStaging("e.staging_source")) AND e.retried_at IS NULL AND e.dismissed_at IS NULL
        AND (e.production_oid = to_regclass(\(productionLiteral))::oid::bigint OR e.production_schema = \(productionSchema))
        AND e.staging_file_node <> pg_relation_filenode(\(stagingLiteral)::regclass)::bigint
      GROUP BY 1, 2
    ), moved_key AS MATERIALIZED (
      SELECT array_agg(DISTINCT k.name) AS names FROM moved AS m, jsonb_object_keys(m.key) AS k (name)
    ), judged AS (
      SELECT m.xmin IS NOT NULL AND (r.id IS NULL OR r.id <= m.id) OR CASE
               WHEN r.id IS NULL THEN EXISTS (SELECT FROM places AS e WHERE \(covers))
                                      OR EXISTS (SELECT FROM stretches AS e WHERE \(coversKey))
                                      OR t.address IS NOT NULL AND \(hasSeen("t"))
               ELSE EXISTS (SELECT FROM p AS e
                            WHERE e.id > r.id AND e.reopened IS NULL AND e.settled IS NULL
                              AND CASE WHEN e.key_columns IS NULL THEN \(covers) ELSE \(coversKey) END)
             END
             -- A refused row was read, unless it is to be read again.
             OR r.id IS NULL AND f.address IS NOT NULL AND (SELECT are_there FROM others) AS is_covered,
             f.address IS NOT NULL AS is_refused, v.number AS moved, v.refusals
      FROM \(staging) AS s
      LEFT JOIN marks AS m ON m.xmin = s.xmin
      LEFT JOIN reopened AS r ON r.address = s.ctid
      LEFT JOIN settled AS t ON t.address = s.ctid
      LEFT JOIN refused AS f ON f.address = s.ctid AND f.xmin = s.xmin
      LEFT JOIN moved AS v ON v.xmin = s.xmin AND v.key = CASE WHEN (SELECT names FROM moved_key) IS NOT NULL THEN
        (SELECT jsonb_object_agg(k.name, to_jsonb(s) -> k.name) FROM unnest((SELECT names FROM moved_key)) AS k (name)) END
    )
    -- A refused row that is to be read again is pending, and nothing else. Of several rows of a key so many are refused as were.
    SELECT coalesce(sum(c.total), 0)::bigint AS total_records, coalesce(sum(c.total - c.covered), 0)::bigint AS pending_records,
           coalesce(sum(c.covered - c.refused), 0)::bigint AS processed_records, coalesce(sum(c.refused), 0)::bigint AS error_records
    FROM (SELECT count(*) AS total, count(*) FILTER (WHERE is_covered) AS covered,
                 count(*) FILTER (WHERE is_covered AND is_refused)
                   + least(count(*) FILTER (WHERE is_covered AND NOT is_refused), coalesce(refusals, 0)) AS refused
          FROM judged GROUP BY moved, refusals) AS c
    """
  }

  /// Whether there are entries whose rows count as pending, since how versions were read is known to the merge alone.
  var hasOthers: SQL {
    // Without a version that is read here, of no window is known which rows it held.
    let isUnknown: SQL = version == nil ? "" : " AND \(Self.isReadOtherwise)"
    return """
      EXISTS (SELECT FROM \(admin).merge_progress
              WHERE \(isOfStaging("source"))
                AND production_oid = to_regclass(\(productionLiteral))::oid::bigint AND superseded_at IS NULL
                AND \(hasWindow)\(isUnknown))
      """
  }

  /// Whether there are entries whose rows count as pending, since production's primary key is another one by now: the next merge
  /// reads them once more.
  var isOfFormerKey: SQL {
    """
    (WITH \(presentKey)
     SELECT count(*) > 0 FROM \(admin).merge_progress AS g
     WHERE \(isOfStaging("source"))
       AND production_oid = to_regclass(\(productionLiteral))::oid::bigint AND superseded_at IS NULL AND \(isMatchedOtherwise))
    """
  }

  /// What ``TablePlan/matching`` says of production's primary key, with the columns' numbers and without, where it can be said from
  /// here: a type of one's own has another name for everybody, and every type where the session quotes them all.
  private var presentKey: SQL {
    let collation: SQL =
      "CASE WHEN l.oid IS NOT NULL THEN concat(quote_ident(m.nspname), '.', quote_ident(l.collname)) END"
    let equality: SQL = """
      CASE WHEN a.atttypid IN (\(TypeOID.int2), \(TypeOID.int4), \(TypeOID.int8)) THEN 'integer'
           WHEN a.atttypid IN (\(TypeOID.text), \(TypeOID.varchar)) THEN coalesce(\(collation), 'text')
           ELSE concat_ws(' ', format_type(a.atttypid, -1), \(collation)) END
      """
    func columns(_ name: SQL, from staged: SQL) -> SQL {
      "string_agg(concat(\(name), ' from ', \(staged), ' as ', \(equality)), ', ' ORDER BY k.position)"
    }
    return """
      present_key AS MATERIALIZED (
        SELECT bool_and(a.atttypid < 16384) AND current_setting('quote_all_identifiers') = 'off' AS can_be_named,
               ARRAY[\(columns("concat_ws(' ', a.attname, a.attnum)", from: "concat_ws(' ', s.attname, s.attnum)")),
                     \(columns("a.attname", from: "s.attname"))] AS names
        FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, position)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
        LEFT JOIN pg_attribute s ON s.attrelid = \(stagingLiteral)::regclass::oid AND s.attname = a.attname AND NOT s.attisdropped
        LEFT JOIN pg_collation l ON l.oid = a.attcollation AND NOT l.collisdeterministic
        LEFT JOIN pg_namespace m ON m.oid = l.collnamespace
        WHERE i.indrelid = to_regclass(\(productionLiteral))::oid AND i.indisprimary AND k.position <= i.indnkeyatts
      )
      """
  }

  /// An entry `g` is of rows that were matched by the primary key as it was before. Which other key the file names is known to the
  /// merge alone.
  private var isMatchedOtherwise: SQL {
    """
    (g.reopened IS NULL AND to_jsonb(g) ->> 'matched_by' IS NOT NULL AND (g.version_reading ~ '(^|; )key ') IS NOT TRUE
     AND (SELECT coalesce(k.can_be_named, true)
                 AND (regexp_replace(to_jsonb(g) ->> 'matched_by', '; version[ 0-9]* from[ 0-9]*$', '') = ANY (k.names)) IS NOT TRUE
          FROM present_key AS k))
    """
  }

  private var hasWindow: SQL { "(version_from IS NOT NULL OR version_to IS NOT NULL)" }

  /// The version of an entry's rows was not the column as it stands (``TablePlan/versionReading``): what is said of the key alone
  /// does not matter to a window.
  private static let isReadOtherwise: SQL = "coalesce(NOT starts_with(version_reading, 'key '), false)"

  /// An entry `e` of a range of addresses says that the row `s` is merged.
  private var covers: SQL {
    """
    (e.place_start IS NULL OR s.ctid >= e.place_start) AND (e.place_end IS NULL OR s.ctid < e.place_end)
    AND \(hasSeen("e"))
    """
  }

  /// The same of an entry of a stretch of keys. There are such only while a run is under way or broken off, so that what it costs
  /// to find a row's key without knowing its columns beforehand matters little.
  private var coversKey: SQL { "\(hasSeen("e")) AND \(KeyRange.holds("e"))" }

  /// An entry has seen the row `s`, and its window holds it.
  private func hasSeen(_ entry: SQL) -> SQL {
    let isInWindow: SQL =
      version.map { version in
        """
        (\(entry).version_from IS NULL OR \(version.value) >= \(entry).version_from::\(version.type))
        AND (\(entry).version_to IS NULL OR \(version.value) < \(entry).version_to::\(version.type))
        """
      } ?? "\(entry).version_from IS NULL AND \(entry).version_to IS NULL"
    // Without a horizon only the recent ones were seen.
    let isOlder: SQL = "\(entry).horizon IS NOT NULL AND \(Horizon.isOlder("s.xmin", than: "age(\(entry).horizon)"))"
    return "(\(isOlder) OR s.xmin = ANY (\(entry).recent)) AND \(isInWindow)"
  }

  /// An address as the number that ``TupleAddress/packed`` is.
  private static func number(_ address: SQL) -> SQL {
    "((\(address)::text::point)[0]::bigint << 16) + (\(address)::text::point)[1]::bigint"
  }

  /// The address of such a number.
  private static func address(_ number: SQL) -> SQL {
    "CASE WHEN \(number) IS NOT NULL THEN concat('(', \(number) >> 16, ',', \(number) & 65535, ')')::tid END"
  }
}

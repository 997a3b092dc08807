import TestSupport
import MergeEngine

/// A table of random shape with random rows, and the merge rule of the guide written as plain SQL beside it.
///
/// Everything follows from the seed: the shape is chosen here, the rows are computed by the server from hashes.
struct RandomTable: CustomStringConvertible {
  private struct KeyColumn {
    let type: String
    /// The value of key number `k`.
    let value: String
  }

  private struct VersionType {
    let type: String
    /// Version number `v`, from 0 to 9; v is an integer.
    let value: String
  }

  private static let keyTypes: [(name: String, columns: [KeyColumn])] = [
    ("int", [KeyColumn(type: "int", value: "(k - 60) * 1000003")]),
    ("smallint", [KeyColumn(type: "smallint", value: "k - 60")]),
    ("bigint", [KeyColumn(type: "bigint", value: "(k - 60)::bigint * 76543217654321")]),
    ("text", [KeyColumn(type: "text", value: "repeat('ü', k % 13) || 'key' || k")]),
    ("varchar", [KeyColumn(type: "varchar(40)", value: "chr(65 + k % 26) || md5(k::text)")]),
    ("uuid", [KeyColumn(type: "uuid", value: "md5(k::text)::uuid")]),
    ("bytea", [KeyColumn(type: "bytea", value: "decode(md5(k::text), 'hex')")]),
    ("numeric(12,3)", [KeyColumn(type: "numeric(12,3)", value: "(k - 60) / 8.0")]),
    ("numeric", [KeyColumn(type: "numeric", value: "trim_scale((k - 60) * 123456789.0625 ^ (k % 5))")]),
    ("timestamptz", [KeyColumn(type: "timestamptz", value: "'1999-12-30'::timestamptz + k * interval '1 hour'")]),
    ("date", [KeyColumn(type: "date", value: "'1999-12-30'::date + k")]),
    ("bool and char(3)", [KeyColumn(type: "bool", value: "k % 2 = 0"), KeyColumn(type: "char(3)", value: "k / 2")]),
    ("int and text", [KeyColumn(type: "int", value: "k % 7 - 3"), KeyColumn(type: "text", value: "'c' || k / 7")]),
    (
      "text, date and bigint",
      [
        KeyColumn(type: "text", value: "CASE k % 3 WHEN 0 THEN '' ELSE 'é' END"),
        KeyColumn(type: "date", value: "'2020-02-28'::date + k % 5"),
        KeyColumn(type: "bigint", value: "k"),
      ]
    ),
  ]

  private static let versionTypes: [VersionType] = [
    VersionType(
      type: "timestamp",
      value:
        "CASE v WHEN 0 THEN '-infinity' WHEN 9 THEN 'infinity' ELSE '2025-01-01'::timestamp + v * interval '1 us' END"
    ),
    VersionType(
      type: "timestamptz",
      value:
        "CASE v WHEN 0 THEN '0044-03-15 BC' WHEN 9 THEN 'infinity' ELSE '1999-12-31'::timestamptz + v * interval '9 h' END"
    ),
    VersionType(type: "date", value: "CASE v WHEN 0 THEN '-infinity' ELSE '1999-12-28'::date + v END"),
    VersionType(type: "smallint", value: "(v - 5) * 6000"),
    VersionType(type: "integer", value: "(v - 5) * 400000000"),
    VersionType(type: "bigint", value: "(v - 5)::bigint * 1800000000000000000"),
    VersionType(type: "numeric", value: "CASE v WHEN 9 THEN 'NaN' ELSE (v - 4) * 10.0::numeric ^ (v * 3 - 12) END"),
    VersionType(type: "numeric(12,4)", value: "(v - 5) * 1111.1111"),
  ]

  let description: String
  let batchRows: Int
  let workers: Int
  let nulls: MergeOptions.NullRule
  private let columns: [KeyColumn]
  private let version: VersionType
  private let seed: UInt64
  private let keyCount: Int
  private let stagingCount: Int
  private let hasDuplicates: Bool
  private let nullVersionPercent: Int
  private let stagingHasPrimaryKey: Bool

  init(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    self.seed = seed
    let key = Self.keyTypes[Int.random(in: 0..<Self.keyTypes.count, using: &random)]
    columns = key.columns
    version = Self.versionTypes[Int.random(in: 0..<Self.versionTypes.count, using: &random)]
    keyCount = Int.random(in: 1...200, using: &random)
    hasDuplicates = random.chance(50)
    stagingHasPrimaryKey = !hasDuplicates && random.chance(50)
    stagingCount = Int.random(in: 0...300, using: &random)
    nulls = random.chance(30) ? .strict : .productionLoses
    // Strict, which of a key's rows comes first decides: one without a version locks out all that follow.
    nullVersionPercent = hasDuplicates && nulls == .strict ? 0 : [0, 10, 60][Int.random(in: 0..<3, using: &random)]
    batchRows = [1, 3, 20, 1000][Int.random(in: 0..<4, using: &random)]
    workers = Int.random(in: 1...3, using: &random)
    description =
      "seed \(seed): key \(key.name), version \(version.type), \(keyCount) keys, \(stagingCount) staging rows"
      + (hasDuplicates ? " with duplicates" : "")
      + ", \(nullVersionPercent) % without version, \(nulls), batches of \(batchRows), \(workers) workers"
  }

  private var keyNames: String { columns.indices.map { "k\($0)" }.joined(separator: ", ") }
  private var definitions: String {
    columns.enumerated().map { "k\($0.offset) \($0.element.type)" }.joined(separator: ", ")
  }

  /// The tables; `expected` is production as it is before the merge.
  var setup: String {
    """
    CREATE SCHEMA production; CREATE SCHEMA staging;
    CREATE TABLE production.random (
      payload text, \(definitions), updated_at \(version.type), created_at int, amount numeric, PRIMARY KEY (\(keyNames)));
    CREATE TABLE staging.random (
      \(definitions), updated_at \(version.type), amount numeric, payload text, created_at int,
      _dms_processing_status varchar(20) DEFAULT 'NEW'\(stagingHasPrimaryKey ? ", PRIMARY KEY (\(keyNames))" : "")
    ) WITH (fillfactor = 10);
    INSERT INTO production.random (\(keyNames), updated_at, payload, created_at, amount)
    SELECT \(values), \(versionOrNull), 'production', 1, 1
    FROM \(source(count: keyCount, salt: 1, isUnique: true)) WHERE draw % 4 <> 0;
    INSERT INTO staging.random (\(keyNames), updated_at, payload, created_at, amount)
    SELECT \(values), \(versionOrNull), 'staging ' || coalesce((\(versionOrNull))::text, 'without'), 2,
           round((\(versionNumberOrNull)) * 1.5, 1)
    FROM \(source(count: stagingCount, salt: 2, isUnique: !hasDuplicates));
    CREATE TABLE expected AS TABLE production.random;
    """
  }

  /// The guide's rule, on `expected`.
  ///
  /// Staging rows of one key and one version are alike but for their place, so it does not matter which is taken.
  var rule: String {
    let match = columns.indices.map { "p.k\($0) = s.k\($0)" }.joined(separator: " AND ")
    let orNull = nulls == .strict ? "" : " OR p.updated_at IS NULL AND s.updated_at IS NOT NULL"
    return """
      CREATE TABLE newest AS
      SELECT DISTINCT ON (\(keyNames)) * FROM staging.random ORDER BY \(keyNames), updated_at DESC NULLS LAST;
      UPDATE expected AS p SET payload = s.payload, updated_at = s.updated_at, amount = s.amount
      FROM newest AS s WHERE \(match) AND (s.updated_at > p.updated_at\(orNull));
      INSERT INTO expected (\(keyNames), payload, updated_at, created_at, amount)
      SELECT \(keyNames), payload, updated_at, created_at, amount FROM newest AS s
      WHERE NOT EXISTS (SELECT FROM expected AS p WHERE \(match));
      """
  }

  private var values: String { columns.map { "(\($0.value))" }.joined(separator: ", ") }

  private var versionOrNull: String { "\(nullOr("(\(version.value))"))::\(version.type)" }
  private var versionNumberOrNull: String { nullOr("v") }
  private func nullOr(_ value: String) -> String {
    "CASE WHEN draw % 100 < \(nullVersionPercent) THEN NULL ELSE \(value) END"
  }

  /// Rows of k (the key's number), v (the version's number) and draw (something else to decide by).
  private func source(count: Int, salt: Int, isUnique: Bool) -> String {
    let key = isUnique ? "n" : "(abs(hash) % \(keyCount))::int"
    return """
      (SELECT \(key) AS k, (abs(hash / 1000) % 10)::int AS v, abs(hash / 100000) AS draw
       FROM (SELECT n, hashint8extended(n, \(Int64(bitPattern: seed) &+ Int64(salt))) AS hash
             FROM generate_series(0, \(count) - 1) AS n) AS hashes
       \(isUnique ? "ORDER BY hash" : "ORDER BY n")) AS rows
      """
  }
}

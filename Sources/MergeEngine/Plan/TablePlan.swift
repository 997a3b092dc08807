import Libpq

/// Everything about the merge of one table that is decided before its first row is read, in three parts: the shape of both tables,
/// which never changes and stands here, how staging is read, and how production is written.
///
/// A staging row travels in one wire order from the read to every write:
/// ```
/// ctid | probe keys (only if they differ from the key) | key columns | version | the other shared columns
///      '------------- read by the client -------------------------'
///                                                      '--- key, version, others: written as they came ---'
/// ```
struct TablePlan: Sendable {
  let staging: QualifiedName
  private(set) var production: QualifiedName
  var stagingOid: UInt32 = 0
  private(set) var productionOid: UInt32
  /// How many columns staging has, merged or not.
  var stagedColumnCount = 0
  let estimatedRowCount: Int?

  /// The shared columns in wire order: key, version, others.
  var columns: [Column]
  let keyColumnCount: Int
  /// Where the version stands in ``columns``; behind the key unless it is part of it.
  let versionIndex: Int
  let versionType: VersionType
  /// Key columns can't be looked up in the form in which they travel, so the read sends them twice.
  let sendsProbeKeys: Bool
  /// Duplicates of a key show in equal bytes; otherwise the server is asked which keys are equal.
  let keyEqualityIsBytewise: Bool
  /// The unique index that rows are matched by.
  let keyIndexOid: UInt32
  /// Columns that staging lacks, whose domains may refuse to be without a value: name, and type.
  var omittedDomains: [(name: Identifier, type: SQL)] = []
  /// An index over the key's columns is DEFERRABLE, and can't arbitrate ON CONFLICT.
  let keyIsDeferrable: Bool
  /// The key is production's primary key.
  let keyIsPrimary: Bool
  /// What Citus has made of production.
  var citus: CitusTable?
  /// Which column of the key says in which shard of production a row lies, where Citus has distributed it by hash.
  var shardKeyIndex: Int? {
    citus?.hashedColumn.flatMap { column in keyColumns.firstIndex { $0.name == column && !$0.probesAsText } }
  }
  /// The shards of a table of Citus that staging and production are, on the node that has them.
  var shards: ShardPair?
  /// Staging rows carry a status, which is set after their merge unless marks are left alone.
  let hasStatusColumn: Bool
  let nullRule: MergeOptions.NullRule
  /// The zone in which zone-less times are read where the other side has one.
  var timeZone = "UTC"

  /// Which staging rows are read, and from where.
  var reading = Reading()
  /// What is written beside the rows, and what stands in their way.
  var writing = Writing()

  /// Tables of several pairs of schemas are merged together, and called with their schema.
  var isOfSeveralPairs = false
  /// The table's name, as the user knows it: plain, or with its schema.
  var name: String { isOfSeveralPairs ? "\(production)" : plainName }
  /// The name within the schema, as the admin tables have it beside the schema.
  var plainName: String { production.name.name }

  /// The schemas on both sides.
  var pair: SchemaPair { SchemaPair(staging: staging.schema.name, production: production.schema.name) }

  /// The relation that a batch is read from, and that addresses of rows mean.
  var batchSource: SQL { reading.snapshot?.batchTable ?? "\(staging)" }
  /// The version of a staging row, as windows are compared with it.
  var stagedVersion: VersionWindow.Version {
    let unreadable = reading.unreadableVersions
    let value: SQL =
      unreadable.isEmpty
      ? version.readExpression
      // No other form is sure to be evaluated in this order.
      : "CASE WHEN s.ctid <> ALL (\(TupleAddress.list(unreadable))) THEN \(version.readExpression) END"
    return VersionWindow.Version(value: value) { versionBound("\($0)") }
  }

  /// The columns of a staging row `s`, by production's names and in its types.
  var stagedAsProduction: SQL {
    columns.map { column -> SQL in
      let value = column.readExpression
      return column.travel == .text
        ? "(\(value))::\(column.baseType.plainName) AS \(column.name)" : "\(value) AS \(column.name)"
    }.joined(", ")
  }

  /// What tells how rows are judged from how others judge them: by another version column, under another `--time-zone` or other
  /// settings of the database, by another key. Nil where the column updated_at is read as it is, and rows are matched by the
  /// primary key, which staging calls the same.
  var versionReading: String? {
    var parts: [String] = []
    if !version.isReadAsItIs || version.stagedName.name != ColumnRules().version {
      parts.append("\(version.readExpression.text) \(version.baseType.fullName.text)")
    }
    // Of all other columns the value changes, and not what becomes of the row.
    for setting in columns[..<comparedColumnCount].flatMap(\.decidingSettings) where !parts.contains(setting) {
      parts.append(setting)
    }
    if let keyReading { parts.append(keyReading) }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  /// By which columns and whose equality rows are matched, as the ledger notes it: where the key changes, rows that were one may be
  /// two, and what was merged of them says nothing any more. With the columns' numbers, since a name may come to mean another
  /// column; those of a shard change when it is moved.
  ///
  /// Behind that, for the same reason, the numbers of the version's columns.
  var matching: String {
    func number(_ declared: CatalogColumn.Declaration?) -> String {
      shards == nil ? declared.map { " \($0.number)" } ?? "" : ""
    }
    return keyColumns.map { column in
      "\(column.name.name)\(number(column.inProduction)) from \(column.stagedName.name)\(number(column.inStaging)) "
        + "as \(column.baseType.equalityName)"
    }.joined(separator: ", ") + "; version\(number(version.inProduction)) from\(number(version.inStaging))"
  }

  /// The part of ``versionReading`` that says by which columns rows are matched.
  var keyReading: String? {
    guard !keyIsPrimary || keyColumns.contains(where: { $0.renamed != nil }) else { return nil }
    let columns = keyColumns.map { column in
      column.renamed.map { "\(column.name.name) from \($0.name)" } ?? column.name.name
    }
    return Self.keyReadingPrefix + columns.joined(separator: ", ")
  }

  private static let keyReadingPrefix = "key "

  /// The same of a ``versionReading`` that was recorded.
  static func keyReading(of versionReading: String?) -> String? {
    versionReading?.components(separatedBy: "; ").last { $0.hasPrefix(keyReadingPrefix) }
  }

  /// The same for another production table that the same staging was merged into: for whoever asks the ledger.
  func merged(into other: QualifiedName, oid: UInt32) -> TablePlan {
    var plan = self
    (plan.production, plan.productionOid) = (other, oid)
    return plan
  }

  /// A version given as text, in production's type.
  func versionBound(_ text: SQL) -> SQL { ZonedCast(zone: timeZone).bound(text, as: version.baseType) }

  var keyColumns: ArraySlice<Column> { columns[..<keyColumnCount] }
  var version: Column { columns[versionIndex] }
  /// What staging calls columns, by production's names, where they differ.
  var renamedColumns: [String: String] {
    columns.reduce(into: [:]) { names, column in
      if let staged = column.renamed { names[column.name.name] = staged.name }
    }
  }
  /// How many of ``columns`` are compared: key and version, which stand first.
  var comparedColumnCount: Int { max(keyColumnCount, versionIndex + 1) }
  /// The columns an update sets.
  var updatedColumns: [Column] { columns[keyColumnCount...].filter { !$0.isInsertOnly } }
  /// Rows can go straight from the batch into production, all fields being in production's own binary form.
  var insertsByCopy: Bool { columns.allSatisfy { $0.travel == .binary && !$0.needsAssignment } }

  /// The key is a single smallint, integer or bigint (or a domain over one).
  var keyIsOneInteger: Bool {
    keyColumnCount == 1 && columns[0].travel == .binary && TypeOID.integers.contains(columns[0].baseType.oid)
  }

  /// How keys are put in order; nil for types whose order is not followed, or which staging does not hold just as production does.
  var keyForm: KeyRange.Form? {
    keyColumns.allSatisfy { $0.isReadAsItIs && $0.keyCast == nil } ? KeyRange.Form(keyColumns.map(\.baseType.oid)) : nil
  }

  /// A column that staging and production share.
  struct Column: Sendable {
    let name: Identifier
    /// What staging calls it.
    var stagedName: Identifier { renamed ?? name }
    /// What staging calls it, where that is not ``name``.
    var renamed: Identifier?
    /// What the read selects from staging alias `s`, cast where the types differ.
    var readExpression: SQL
    let travel: CatalogColumn.Travel
    let baseType: CatalogColumn.BaseType
    /// How staging declares it, and production; nil for a file's.
    var inStaging: CatalogColumn.Declaration?
    var inProduction: CatalogColumn.Declaration?
    let isInsertOnly: Bool
    let equality: SQL
    /// How `ON CONFLICT` tells the key's index from others over the same columns; nil where there are none.
    var arbiter: SQL?
    /// What is read instead where values are compared: what assignment makes of them.
    var comparedExpression: SQL?
    /// One side has a time zone, and the other has none.
    var zoneMatters = false
    /// The same where the server's own cast decides, by the database's zone.
    var zoneIsOfDatabase = false
    /// Staging has text that the server reads as a date or a time.
    var readsTextAsTime = false
    /// The settings that decide what the cast makes of a value, as ``InputSettings/deciding(from:to:zoneIsOfDatabase:)`` has them.
    var decidingSettings: [String] = []
    /// Of a key column whose values the cast may change.
    var keyCast: KeyCast?
    /// What the claim selects: an error in the place of a key that the cast changes.
    var claimExpression: SQL { keyCast?.guarded ?? readExpression }
    /// The batch table has to hold values that are longer than production takes, for the write to judge them.
    var needsAssignment = false
    /// Staging holds the value just as it travels, so that nothing can go wrong in reading it.
    var isReadAsItIs: Bool { travel == .binary && readExpression.text == ("s.\(name)" as SQL).text }
    /// What stands for it in production's rows, where that is not the column itself.
    var productionDigest: SQL?
    /// What is selected from production's alias `p`, in the form in which staging's travels.
    var productionExpression: SQL { productionDigest ?? (travel == .text ? "p.\(name)::text" : "p.\(name)") }
    /// The array in which keys are looked up: of the type itself, or of text.
    var probeArrayOid: UInt32 { probesAsText ? TypeOID.textArray : baseType.arrayOid }
    var probeElementOid: UInt32 { probesAsText ? TypeOID.text : baseType.oid }
    var probesAsText: Bool { travel == .text || baseType.arrayOid == 0 }
  }
}

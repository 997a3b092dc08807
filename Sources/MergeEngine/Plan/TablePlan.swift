import Libpq

/// Everything about the merge of one table that is decided once, before its first row is read.
///
/// A staging row travels in one wire order from the read to every write:
/// ```
/// ctid | probe keys (only if they differ from the key) | key columns | version | the other shared columns
///      '------------- read by the client -------------------------'
///                                                      '--- key, version, others: written as they came ---'
/// ```
struct TablePlan: Sendable {
  let staging: QualifiedName
  let production: QualifiedName
  var stagingOid: UInt32 = 0
  let productionOid: UInt32
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
  /// An index over the key's columns is DEFERRABLE, and can't arbitrate ON CONFLICT.
  let keyIsDeferrable: Bool
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
  var marksRows: Bool
  let nullRule: MergeOptions.NullRule
  var window: VersionWindow
  /// The zone in which zone-less times are read where the other side has one.
  var timeZone = "UTC"
  /// Which staging rows are read.
  var selection = Selection.pending
  /// What was found of staging when it was last looked at; anew for each round of a run.
  var reading = Reading()
  /// How rows are compared whose versions are equal; nil when they are left alone.
  var ties: RowComparison?
  /// Production's columns that an UPDATE can set, but the key, whether staging has them or not.
  var restorableColumns: [CatalogColumn] = []
  /// Whether production fits into the server's memory.
  var cacheFit = CacheFit.unknown
  /// Who may change or redirect a row on its way: then only the key that comes back says what became of it.
  var triggers = RowTriggers.none
  /// Where overwritten rows and inserted keys are kept; nil when they are not.
  var images: BeforeImageTable?
  /// Staging is in another database than production.
  var isSplit = false
  /// Where the rows come from when that is a file instead of the staging table.
  var snapshot: SnapshotTablePlan?

  /// Tables of several pairs of schemas are merged together, and called with their schema.
  var isOfSeveralPairs = false
  /// The table's name, as the user knows it: plain, or with its schema.
  var name: String { isOfSeveralPairs ? "\(production)" : plainName }
  /// The name within the schema, as the admin tables have it beside the schema.
  var plainName: String { production.name.name }

  /// The schemas on both sides.
  var pair: SchemaPair { SchemaPair(staging: staging.schema.name, production: production.schema.name) }

  /// The relation that a batch is read from, and that addresses of rows mean.
  var batchSource: SQL { snapshot?.batchTable ?? "\(staging)" }
  /// The version of a staging row, as windows are compared with it.
  var stagedVersion: VersionWindow.Version {
    VersionWindow.Version(value: version.readExpression) { versionBound("\($0)") }
  }

  /// A version given as text, in production's type.
  func versionBound(_ text: SQL) -> SQL { ZonedCast(zone: timeZone).bound(text, as: version.baseType) }

  var keyColumns: ArraySlice<Column> { columns[..<keyColumnCount] }
  var version: Column { columns[versionIndex] }
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
    /// What is read instead where values are compared: what assignment makes of them.
    var comparedExpression: SQL?
    /// One side has a time zone, and the other has none.
    var zoneMatters = false
    /// The same where the server's own cast decides, by the database's zone.
    var zoneIsOfDatabase = false
    /// Staging has text that the server reads as a date or a time.
    var readsTextAsTime = false
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

  /// Which staging rows are read, by what the ledger says of them.
  enum Selection: Sendable {
    /// Those that are not merged: what a merge reads.
    case pending
    /// Those that merges have carried, but refused ones.
    case merged
    /// All but refused ones.
    case all
  }

  /// What is read of a staging table, by what was found there.
  struct Reading: Sendable {
    /// What of it is merged.
    var coverage = Coverage()
    /// Whose rows are read, so that the ledger can say afterwards which they were; nil for whatever is there.
    var horizon: Horizon?
    /// Rows that stand refused, ascending.
    var refused: [UInt64] = []
    /// Rows that were refused, and that somebody lets be: not to be compared either; ascending, where that was asked.
    var dismissed: [UInt64] = []
    /// What tells this table's content from any other's.
    var source: StagingSource?
  }
}

import BinaryCopy

/// How one staging row stands to production's row of the same key.
enum RowStanding {
  case equal
  case productionNewer
  case missing
  case outdated
  /// The same version, and other bytes in compared columns.
  case unequal(RowComparison.Likeness)
}

/// Compares one staging row with one production row, both in the wire order of ``TablePlan/columns``.
struct RowJudge {
  private let rule: MergeRule
  private let comparison: RowComparison
  private let versionType: VersionType
  private let versionIndex: Int
  /// No column is ever updated, so an older version is as it should be.
  private let ignoresVersion: Bool

  init(_ plan: TablePlan, _ comparison: RowComparison) {
    rule = MergeRule(plan)
    self.comparison = comparison
    versionType = plan.versionType
    versionIndex = plan.versionIndex
    ignoresVersion = plan.updatedColumns.isEmpty
  }

  /// - Parameters:
  ///   - row: the staging row, in `bytes`.
  ///   - fields: production's row in `productionBytes`; nil if there is none.
  func standing(
    _ row: StagedRow,
    in bytes: RawSpan,
    _ fields: Range<Int>?,
    in productionBytes: RawSpan
  ) throws(BinaryCopyError) -> RowStanding {
    guard let fields else { return .missing }
    // Nearly all rows end here, whole rows being the same bytes.
    if bytes.equals(row.fields, to: productionBytes, at: fields) { return .equal }
    var cursor = CopyCursor(offset: fields.lowerBound)
    try cursor.skipFields(versionIndex, in: productionBytes)
    let version = try versionType.read(cursor.readField(in: productionBytes), in: productionBytes)
    switch try rule.outcome(row.version, in: bytes, .found(version), in: productionBytes) {
    case .absent: return .missing
    case .newer: return ignoresVersion ? .equal : .outdated
    case .older, .unknown: return .productionNewer
    case .tie:
      let likeness = try comparison.likeness(row.fields, in: bytes, fields, in: productionBytes)
      return likeness == .equal ? .equal : .unequal(likeness)
    }
  }
}

import BinaryCopy

/// The merge rule for one staging row: its version against production's.
struct MergeRule {
  private let versionType: VersionType
  private let nullRule: MergeOptions.NullRule

  init(_ plan: TablePlan) {
    versionType = plan.versionType
    nullRule = plan.nullRule
  }

  /// How a staging row stands to production.
  enum Outcome {
    /// Production has no such key.
    case absent
    /// Staging is newer.
    case newer
    /// Both are as new, or both have no version.
    case tie
    /// Staging is older, or only production has a version.
    case older
    /// Production has no version, and strictly nobody can tell.
    case unknown

    /// The verdict, ties left alone.
    var verdict: Verdict {
      switch self {
      case .absent: .insert
      case .newer: .update
      case .tie, .unknown: .unchanged
      case .older: .stale
      }
    }
  }

  /// Compares.
  ///
  /// - Parameters:
  ///   - staging: the staging row's version, a numeric one in `stagingBytes`.
  ///   - match: what production has, a numeric version in `productionBytes`.
  func outcome(
    _ staging: StagedVersion,
    in stagingBytes: RawSpan,
    _ match: ProbeAnswer.Match,
    in productionBytes: RawSpan
  ) throws(BinaryCopyError) -> Outcome {
    guard case .found(let production) = match else { return .absent }
    let order = try versionType.compare(staging, in: stagingBytes, production, in: productionBytes)
    if case .null = production, nullRule == .strict, order != 0 { return .unknown }
    return order > 0 ? .newer : order == 0 ? .tie : .older
  }
}

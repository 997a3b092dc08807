/// How many rows a workload has on each side.
struct WorkloadSize {
  let stagedRowCount: Int
  let productionRowCount: Int

  /// Those workloads whose rows cost several times as much get fewer of them, so that all fit into one run. The sparse one
  /// is the mixed one's production met by few rows.
  init(_ workload: Workload, _ options: BenchOptions) {
    let rowCount = options.rowCount
    stagedRowCount =
      switch workload {
      case .mixed, .reload, .insert, .far5, .far20, .refusals, .verify, .verifySparse: rowCount
      case .update: max(rowCount / 2, 1)
      case .wide, .indexed: max(rowCount / 4, 1)
      // A two-hundredth of production's.
      case .sparse: max(rowCount / 50, 1)
      // One in 40 of production's.
      case .cold, .coldOrdered: max((options.productionRowCount ?? 4 * rowCount) / 40, 1)
      }
    let timesStaging =
      switch workload {
      case .verify: 1
      case .verifySparse: 5
      default: 4
      }
    let isOfFewRows = workload == .sparse || workload.isCold
    productionRowCount = options.productionRowCount ?? timesStaging * (isOfFewRows ? rowCount : stagedRowCount)
  }

  /// One in so many keys of production is in staging, where they are spread evenly.
  var keyStep: Int { max(productionRowCount / stagedRowCount, 1) }
}

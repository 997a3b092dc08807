import Libpq
import MergeEngine
import TestSupport
import Testing

extension TestDatabase {
  /// Looks without writing.
  func plan(
    as role: String? = nil,
    samples: Int = 5,
    _ change: (inout MergeOptions) -> Void = { _ in }
  ) async throws -> PlanReport {
    var options = MergeOptions()
    options.workers = 1
    change(&options)
    let target = try role.map { try ConnectionTarget(connectionString.replacing("postgres", with: $0)) }
    let run = DryRun(target: target ?? self.target, options: options, sampleLimit: samples, logger: .silent)
    return try await onItsOwnThread { try run.run() }
  }

  /// Plans, merges, and checks that the counts are the same.
  @discardableResult
  func planAndMerge(_ change: (inout MergeOptions) -> Void = { _ in }) async throws -> (PlanReport, RunReport) {
    let plan = try await plan(change)
    let merge = try await merge {
      $0.workers = 1
      change(&$0)
    }
    #expect(plan.tables.map(\.table) == merge.tables.map(\.table))
    for (planned, merged) in zip(plan.tables, merge.tables) {
      // Into how many batches a merge divides its rows is up to how fast production is.
      var (planned, merged) = (planned.counts, merged.counts)
      (planned.batches, merged.batches) = (0, 0)
      #expect(planned == merged)
    }
    return (plan, merge)
  }
}

extension PlanReport {
  /// All that it says in words.
  var said: String { findings.map(\.message).joined(separator: "\n") }
}

import DMS
import Foundation

/// What a reload would do.
package struct ReloadPlan: Sendable, Encodable {
  /// Always true: nothing was written.
  package let isDryRun = true
  /// The staging tables, parents first.
  package let tables: [String]
  /// The calls to AWS, from the first to the last.
  package let calls: [PlannedCall]

  private enum CodingKeys: String, CodingKey {
    case isDryRun = "dry_run"
    case tables, calls
  }
}

extension Reload {
  /// Looks at tables and documents without a call to AWS, and says what would be called.
  package func plan(_ request: ReloadRequest) async throws -> ReloadPlan {
    let checked = try await check.plan(request)
    var calls: [PlannedCall] = []
    for piece in checked.documents {
      let note = ReloadNote(request: request, task: ReloadNote.newName(at: Date()), sources: piece.sources)
      calls += try PlannedCall.load(LoadStage.newTask(note, piece), isTaskDeleted: !setting.keepsTask)
    }
    return ReloadPlan(tables: checked.area.tables.map(\.name), calls: calls)
  }
}

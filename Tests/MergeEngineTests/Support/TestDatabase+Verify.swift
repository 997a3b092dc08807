import Libpq
import MergeEngine
import TestSupport

extension TestDatabase {
  /// Verifies, without a pause before the second look.
  func verify(as role: String? = nil, _ change: (inout VerifyOptions) -> Void = { _ in }) async throws -> VerifyReport {
    try await verifying(as: role, change).value
  }

  /// The same, while the test goes on.
  func verifying(
    as role: String? = nil,
    _ change: (inout VerifyOptions) -> Void = { _ in }
  ) -> Task<VerifyReport, any Error> {
    var options = VerifyOptions()
    options.recheckAfterSeconds = 0
    change(&options)
    let verifyOptions = options
    let string = role.map { connectionString.replacing("postgres", with: $0) }
    let own = target
    return Task {
      let target = try string.map { try ConnectionTarget($0) } ?? own
      let run = Verification(target: target, options: verifyOptions, logger: .silent)
      return try await onItsOwnThread { try run.run() }
    }
  }

  /// Waits until a verification has asked nothing for half a second: it waits for the second look.
  func waitForPause() async throws {
    let isPausing = """
      SELECT count(*) > 0 AND bool_and(state = 'idle' AND state_change < clock_timestamp() - interval '0.5 s')
      FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'merge-engine%'
      """
    while try value(isPausing) != "true" { try await Task.sleep(for: .milliseconds(20)) }
  }

  /// Waits until so many sessions of this database wait for a lock.
  func waitForBlockedSessions(_ count: Int = 1) async throws {
    let blocked = """
      SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND \(Self.isNoRehearsal)
      """
    while try self.count(blocked) < count { try await Task.sleep(for: .milliseconds(20)) }
  }
}

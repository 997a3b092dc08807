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
    pause: HeldPause? = nil,
    _ change: (inout VerifyOptions) -> Void = { _ in }
  ) -> Task<VerifyReport, any Error> {
    var options = VerifyOptions()
    options.recheckAfterSeconds = pause == nil ? 0 : HeldPause.seconds
    change(&options)
    let verifyOptions = options
    let string = role.map { connectionString.replacing("postgres", with: $0) }
    let own = target
    let stop = pause?.stop ?? StopSignal()
    return Task {
      let target = try string.map { try ConnectionTarget($0) } ?? own
      let run = Verification(target: target, options: verifyOptions, logger: .silent, stop: stop)
      return try await onItsOwnThread { try run.run() }
    }
  }

  /// Waits until so many sessions of this database wait for a lock.
  func waitForBlockedSessions(_ count: Int = 1) async throws {
    let blocked = """
      SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND \(Self.isNoRehearsal)
      """
    try await eventually("a session that waits for a lock") { try self.count(blocked) >= count ? () : nil }
  }
}

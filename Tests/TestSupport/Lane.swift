/// So many tests at a time; the others wait in line.
///
/// Swift Testing starts all tests at once, and hundreds of servers' sessions and child processes would starve each other.
public actor Lane {
  /// For tests that compute: as many as keep two cores busy, since each waits for a server or a program half its time.
  public static let working = Lane(4)

  /// For tests whose subject is time that passes: they hold up nobody while they wait.
  public static let sleeping = Lane(12)

  /// Whether the current task is in a turn already: one within another waits for nothing.
  @TaskLocal private static var isInTurn = false

  private var free: Int
  private var line: [CheckedContinuation<Void, Never>] = []

  /// For so many tests at a time.
  public init(_ count: Int) {
    free = count
  }

  /// Runs `body` when a place is free, on ``LaneThreads``.
  public nonisolated func turn<Result>(_ body: () async throws -> Result) async throws -> Result {
    if Self.isInTurn { return try await body() }
    await take()
    let start = ContinuousClock.now
    do {
      let result = try await Self.$isInTurn.withValue(true) {
        try await withTaskExecutorPreference(LaneThreads.shared) { try await body() }
      }
      await end(since: start)
      return result
    } catch {
      await end(since: start)
      throw error
    }
  }

  private func end(since start: ContinuousClock.Instant) {
    TestDurations.add(.now - start)
    giveBack()
  }

  private func take() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { line.append($0) }
    }
  }

  private func giveBack() {
    if line.isEmpty {
      free += 1
    } else {
      line.removeFirst().resume()
    }
  }
}

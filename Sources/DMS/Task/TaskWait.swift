/// Waits for a task or a connection by asking again and again.
///
/// The command's own waiters give up after 15 minutes, take a load that is over quickly for a failure, and take every
/// `stopped` for a success; so the asking is done here, and what the state means is decided elsewhere.
public struct TaskWait<C: Clock>: Sendable where C.Duration == Duration {
  /// Where the states come from.
  public var service: DMSService
  /// The clock; tests have one that does not wait.
  public var clock: C
  /// Between two questions. AWS's own waiters take 15 s.
  public var interval: Duration
  /// How long one wait may last; `nil` for as long as it takes.
  public var limit: Duration?
  /// How many transient errors in a row are passed over: a load of hours should not be lost to a minute without network.
  public var toleratedErrors: Int

  /// Makes a wait.
  public init(
    service: DMSService,
    clock: C = ContinuousClock(),
    interval: Duration = .seconds(15),
    limit: Duration? = nil,
    toleratedErrors: Int = 8
  ) {
    self.service = service
    self.clock = clock
    self.interval = interval
    self.limit = limit
    self.toleratedErrors = toleratedErrors
  }

  /// Waits until a new task can be started.
  ///
  /// - Throws: ``TaskWaitError/unexpected(_:wanted:)`` if it fails instead, ``TaskWaitError/timeOut(_:wanted:limit:)``, and
  ///   ``AWSError`` if it cannot be asked.
  public func untilReady(
    arn: String,
    progress: @Sendable (ReplicationTask) async -> Void = { _ in }
  ) async throws -> ReplicationTask {
    try await until(arn, wanted: "ready", progress: progress) { task in
      switch task.status {
      case .ready, .created: true
      // A task that ran before can be started again, by whoever wants that; a fresh one never comes here.
      case .stopped, .failed, .failedMove, .deleting, .running, .starting:
        throw TaskWaitError.unexpected(task, wanted: "ready")
      default: false
      }
    }
  }

  /// Waits until a task that was told to start does something: `ready` and `starting` are over.
  public func untilUnderWay(
    arn: String,
    progress: @Sendable (ReplicationTask) async -> Void = { _ in }
  ) async throws -> ReplicationTask {
    try await until(arn, wanted: "running", progress: progress) { task in
      !task.status.isBeforeLoad
    }
  }

  /// Waits until a started task is at an end, good or bad; ``FullLoadVerdict`` says which.
  ///
  /// `ready` just after the start is passed over; so is every state that is not an end.
  public func untilAtAnEnd(
    arn: String,
    progress: @Sendable (ReplicationTask) async -> Void = { _ in }
  ) async throws -> ReplicationTask {
    try await until(arn, wanted: "at an end", progress: progress) { $0.status.isAtAnEnd }
  }

  /// Deletes a task, once AWS lets it go: a serverless replication can be deleted only when AWS has taken back what it ran on.
  ///
  /// - Throws: ``AWSError``, of kind `invalidState` when that does not come within the limit.
  public func deleted(arn: String) async throws {
    let start = clock.now
    while true {
      do {
        _ = try await service.deleteTask(arn: arn)
        return
      } catch let error as AWSError where error.kind == .invalidState && TaskKind(arn: arn) == .serverless {
        guard let limit, start.duration(to: clock.now) < limit else { throw error }
        try await clock.sleep(until: clock.now.advanced(by: interval), tolerance: nil)
      }
    }
  }

  /// Waits until a task that is being deleted is gone.
  public func untilGone(arn: String) async throws {
    do {
      _ = try await until(arn, wanted: "gone", progress: { _ in }, isReached: { _ in false })
    } catch let error as AWSError where error.kind == .notFound {
      return
    }
  }

  /// Tests a connection, unless its last test was good, and waits for the result.
  ///
  /// - Throws: ``TaskWaitError/connectionFailed(_:)`` with the service's own words.
  public func connectionTest(instanceARN: String, endpointARN: String) async throws -> EndpointConnection {
    let known = try await service.connection(instanceARN: instanceARN, endpointARN: endpointARN)
    if let known, known.isSuccessful { return known }
    if known?.isTesting != true {
      _ = try await service.testConnection(instanceARN: instanceARN, endpointARN: endpointARN)
    }
    return try await asking(wanted: "a tested connection to \(endpointARN)") {
      guard let now = try await service.connection(instanceARN: instanceARN, endpointARN: endpointARN) else {
        return nil
      }
      if now.isSuccessful { return now }
      if now.isTesting { return nil }
      throw TaskWaitError.connectionFailed(now)
    }
  }

  private func until(
    _ arn: String,
    wanted: String,
    progress: @Sendable (ReplicationTask) async -> Void,
    isReached: (ReplicationTask) throws -> Bool
  ) async throws -> ReplicationTask {
    var last: ReplicationTask?
    return try await asking(wanted: wanted, last: { last }) {
      let task = try await service.task(arn: arn)
      last = task
      await progress(task)
      return try isReached(task) ? task : nil
    }
  }

  private func asking<Value>(
    wanted: String,
    last: () -> ReplicationTask? = { nil },
    _ ask: () async throws -> Value?
  ) async throws -> Value {
    let start = clock.now
    var errors = 0
    while true {
      do {
        if let value = try await ask() { return value }
        errors = 0
      } catch let error as AWSError where error.isTransient && errors < toleratedErrors {
        errors += 1
      }
      if let limit, start.duration(to: clock.now) >= limit {
        throw TaskWaitError.timeOut(last(), wanted: wanted, limit: limit)
      }
      try await clock.sleep(until: clock.now.advanced(by: interval), tolerance: nil)
    }
  }
}

import Libpq

/// What follows for the number of workers from what it has shown.
struct GrowthRule {
  /// Never more workers than this.
  let most: Int

  enum Decision: Equatable {
    /// It stays as it is for now, and is looked at again.
    case goOn
    /// One more may pay.
    case grow
    /// So many from now on, and why.
    case settle(workerCount: Int, reason: String)
  }

  /// Another worker must bring so much. The contract's.
  static let leastGain = 1.1
  /// Chance alone makes so many sessions wait, on average. Arbitrary.
  static let waitTolerance = 0.2
  /// How long the rest must take for another worker to be of use: it has to connect and prepare its statements first.
  /// Arbitrary.
  static let leastSecondsLeft = 1.0
  /// Connections that are left for others. Arbitrary.
  static let sparedConnectionCount = 2

  /// Where less of a batch's time passes on the way to the server, trials find out what pays. Arbitrary.
  static let leastWayShare = 0.3
  /// A server that answers sooner is near, however little there is to do in a batch: within a data centre it takes half a
  /// millisecond. Arbitrary.
  static let leastDistance = Duration.milliseconds(2)

  /// What the first batch has shown.
  struct FirstBatch: Sendable {
    /// From its beginning to its commit.
    let time: Duration
    let rowCount: Int
    /// The way to the server and back.
    let trip: Duration
    /// How often it was waited for.
    let tripCount: Int

    /// Which part of the time was spent on the way.
    var wayShare: Double { trip * tripCount / time }
  }

  /// How many workers a server that is far away keeps as busy as the first ones would keep a near one: while answers are on their
  /// way others can be at work, and what waits for the line costs the server nothing.
  ///
  /// - Parameters:
  ///   - workerCount: how many there are.
  ///   - batch: of one of them.
  ///   - remainingRowCount: staging rows that are left to read.
  ///   - freeConnectionCount: as for ``decision(_:_:before:remainingRowCount:freeConnectionCount:)``.
  /// - Returns: nil where it is no more than there are.
  func workersOfDistance(
    _ workerCount: Int,
    _ batch: FirstBatch,
    remainingRowCount: Int,
    freeConnectionCount: () throws(PostgresError) -> Int
  ) throws(PostgresError) -> Int? {
    let share = batch.wayShare
    guard batch.trip >= Self.leastDistance, share >= Self.leastWayShare, share < 1, workerCount < most else {
      return nil
    }
    let rowsPerSecond = Double(workerCount * batch.rowCount) / (batch.time / .seconds(1))
    guard Double(remainingRowCount) > Self.leastSecondsLeft * rowsPerSecond else { return nil }
    let wanted = min(Int((Double(workerCount) / (1 - share)).rounded()), most)
    let count = min(wanted, workerCount + (try freeConnectionCount()) - Self.sparedConnectionCount)
    return count > workerCount ? count : nil
  }

  /// - Parameters:
  ///   - workerCount: how many there are.
  ///   - figures: what they have shown.
  ///   - before: what one less had shown; nil at first.
  ///   - remainingRowCount: staging rows that are left to read.
  ///   - freeConnectionCount: how many the server would still give; asked for only where it matters.
  func decision(
    _ workerCount: Int,
    _ figures: WorkerTrial.Figures,
    before: WorkerTrial.Figures?,
    remainingRowCount: Int,
    freeConnectionCount: () throws(PostgresError) -> Int
  ) throws(PostgresError) -> Decision {
    if let before {
      if figures.rowsPerSecond < Self.leastGain * before.rowsPerSecond {
        return .settle(workerCount: workerCount - 1, reason: "another worker brings too little")
      }
      if figures.waitsAtATime > before.waitsAtATime + Self.waitTolerance {
        return .settle(workerCount: workerCount - 1, reason: "more sessions wait for locks")
      }
    }
    guard Double(remainingRowCount) / figures.rowsPerSecond > Self.leastSecondsLeft else { return .goOn }
    guard workerCount < most, try freeConnectionCount() > Self.sparedConnectionCount else {
      return .settle(workerCount: workerCount, reason: "there may be no more")
    }
    return .grow
  }
}

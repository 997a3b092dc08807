import Testing

@testable import MergeEngine

/// `--workers auto`: one more while it brings a tenth, nobody waits more, and there is room.
@Suite struct GrowthRuleTests {
  private static let many = 100_000_000

  private static func figures(_ rowsPerSecond: Double, waiting: Double = 0) -> WorkerTrial.Figures {
    WorkerTrial.Figures(rowsPerSecond: rowsPerSecond, waitsAtATime: waiting)
  }

  private static func decision(
    _ workerCount: Int,
    _ figures: WorkerTrial.Figures,
    before: WorkerTrial.Figures?,
    left: Int = many,
    free: Int = 50
  ) throws -> GrowthRule.Decision {
    try GrowthRule(most: 16).decision(workerCount, figures, before: before, remainingRowCount: left) { free }
  }

  @Test func `nobody knows what two bring before there were three`() throws {
    #expect(try Self.decision(2, Self.figures(1000), before: nil) == .grow)
  }

  @Test(arguments: [(1101.0, true), (1099, false), (900, false)]) func `another worker has to bring a tenth`(
    rowsPerSecond: Double,
    stays: Bool
  ) throws {
    let decision = try Self.decision(3, Self.figures(rowsPerSecond), before: Self.figures(1000))
    #expect(decision == (stays ? .grow : .settle(workerCount: 2, reason: "another worker brings too little")))
  }

  @Test func `a worker that makes others wait goes, whatever it brings`() throws {
    let decision = try Self.decision(4, Self.figures(3000, waiting: 1), before: Self.figures(1000))
    #expect(decision == .settle(workerCount: 3, reason: "more sessions wait for locks"))
    // Those who waited before are nobody's fault.
    #expect(try Self.decision(4, Self.figures(3000, waiting: 1), before: Self.figures(1000, waiting: 1)) == .grow)
  }

  @Test(arguments: [(16, 50), (5, 2)]) func `growth ends at sixteen, and where the server has no more connections`(
    workerCount: Int,
    free: Int
  ) throws {
    let decision = try Self.decision(workerCount, Self.figures(3000), before: Self.figures(1000), free: free)
    #expect(decision == .settle(workerCount: workerCount, reason: "there may be no more"))
  }

  @Test func `for the last second no worker is worth its start, and connections are not asked about`() throws {
    let decision = try GrowthRule(most: 16).decision(2, Self.figures(1000), before: nil, remainingRowCount: 900) {
      Issue.record("asked")
      return 0
    }
    #expect(decision == .goOn)
  }

  @Test(arguments: [
    // Two workers of which each waits for the line two thirds of its time.
    (0.67, 50, 6), (0.5, 50, 4), (0.95, 50, 16), (0.67, 5, 5), (0.29, 50, nil), (0.67, 2, nil), (1, 50, nil),
  ]) func `a distance is allowed for at once, as far as there are connections`(
    wayShare: Double,
    free: Int,
    wanted: Int?
  ) throws {
    #expect(try Self.workersOfDistance(wayShare, free: free) == wanted)
  }

  @Test func `where every worker is there already a distance adds none`() throws {
    #expect(try Self.workersOfDistance(0.9, most: 2) == nil)
  }

  @Test(arguments: [(2.0, 20), (1.9, nil), (0.1, nil)] as [(Double, Int?)])
  func `small batches of a near server are not taken for a distance`(milliseconds: Double, wanted: Int?) throws {
    #expect(try Self.workersOfDistance(0.9, most: 50, tripMilliseconds: milliseconds) == wanted)
  }

  @Test(arguments: [(2001, 4), (2000, nil)] as [(Int, Int?)])
  func `for the last second a distance adds none either`(left: Int, wanted: Int?) throws {
    // Two workers of a thousand rows a second each.
    #expect(try Self.workersOfDistance(0.5, left: left) == wanted)
  }

  /// What follows from a batch of a thousand rows in a second, of which a part was spent on the way.
  private static func workersOfDistance(
    _ wayShare: Double,
    most: Int = 16,
    tripMilliseconds: Double = 10,
    left: Int = many,
    free: Int = 50
  ) throws -> Int? {
    let tripCount = 10
    let trip = Duration.seconds(tripMilliseconds / 1000)
    let batch = GrowthRule.FirstBatch(
      time: trip * tripCount / wayShare,
      rowCount: Int((Double(tripCount) * tripMilliseconds / wayShare).rounded()),
      trip: trip,
      tripCount: tripCount
    )
    return try GrowthRule(most: most).workersOfDistance(2, batch, remainingRowCount: left) { free }
  }

  @Test func `a server whose processors are the limit is left with what pays`() throws {
    // Throughput by workers as two cores have it: the third brings something, the fourth nothing.
    let rates = [2: 200.0, 3: 230, 4: 235]
    var workerCount = 2
    var before: WorkerTrial.Figures?
    var settled: Int?
    while settled == nil {
      let figures = Self.figures(try #require(rates[workerCount]))
      switch try Self.decision(workerCount, figures, before: before) {
      case .grow: (workerCount, before) = (workerCount + 1, figures)
      case .settle(let count, _): settled = count
      case .goOn: settled = 0
      }
    }
    #expect(settled == 3)
  }
}

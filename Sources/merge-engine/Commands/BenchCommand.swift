import ArgumentParser
import Bench
import Foundation
import HTMLReport
import Libpq
import MergeEngine
import PrivateCluster

extension Workload: ExpressibleByArgument {}

/// `merge-engine bench`
struct BenchCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure merge throughput on this server, next to the guide's procedure and plain SQL.",
    discussion: """
      Works in two databases of its own, merge_engine_bench_template and merge_engine_bench_run, which are dropped at the \
      end; the role needs CREATEDB. Without a database a private server is started. Every contender begins from the \
      same copied state, and what it leaves in production is compared with the answer: exit status 70 when one is wrong.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @Option(
    help: ArgumentHelp(
      """
      Staging rows of mixed, reload, insert, refusals and far; update has half as many, wide and indexed a quarter, cold a tenth, \
      sparse 2 % (default: 1000000).
      """,
      valueName: "n"
    )
  )
  var rows: Int?

  @Option(
    help: ArgumentHelp(
      "Rows of production (default: four times those of staging; of sparse and cold, four times --rows).",
      valueName: "n"
    )
  )
  var productionRows: Int?

  @Option(
    help: ArgumentHelp(
      "Only this workload; may be repeated: \(Workload.allCases.map(\.rawValue).joined(separator: ", ")). The cold and "
        + "far ones are measured only when named, on a private server, and the cold ones on one with little memory.",
      valueName: "name"
    )
  )
  var workload: [Workload] = []

  @Option(
    help: ArgumentHelp(
      "Only contenders whose name contains this; may be repeated. Without guide and floor there are no ratios.",
      valueName: "text"
    )
  )
  var contender: [String] = []

  @Option(
    name: .customLong("repeat"),
    help: ArgumentHelp("Number of runs for each contender (default: 3).", valueName: "n")
  )
  var repetitions: Int?

  @Option(
    help: ArgumentHelp(
      "Start no repetition that would end later than this; each workload is measured at least once (default: 17).",
      valueName: "minutes"
    )
  )
  var timeLimit: Int?

  @Option(
    help: ArgumentHelp(
      "Number of connections of the parallel contenders (default: twice this machine's cores).",
      valueName: "n"
    )
  )
  var connections: Int?

  @Option(help: ArgumentHelp("Staging rows in one of the engine's batches (default: 50000).", valueName: "rows"))
  var batch: Int?

  @Option(
    help: ArgumentHelp(
      "Seed for the order in which the contenders run; the report shows it (default: random).",
      valueName: "n"
    )
  )
  var seed: UInt32?

  @Option(help: ArgumentHelp("A line for the report, such as the commit that is measured.", valueName: "text"))
  var label: String?

  @Option(help: ArgumentHelp("Also write the result as one HTML file with charts.", valueName: "file"))
  var html: String?

  @Option(
    help: ArgumentHelp("Also write the tables to this file, as they are printed without --json.", valueName: "file")
  )
  var text: String?

  func run() async throws {
    let options = try resolve()
    let page = html.map { AtomicFile(path: $0) }
    let tables = text.map { AtomicFile(path: $0) }
    try Self.blocking {
      try page?.check()
      try tables?.check()
    }
    let file = try ConfigurationFile(path: database.config)
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let report: BenchReport
    if CommandContext.namesDatabase(database, file) {
      if let workload = options.workloads.first(where: { $0.isCold || $0.delayMilliseconds != nil }) {
        throw MergeFailure.usage(
          "--workload \(workload.rawValue) is measured on a private server: leave out --database and DATABASE_URL."
        )
      }
      report = try await bench(try CommandContext(database).target, options: options, stop: stop)
    } else {
      report = try await withPrivateServer(options) { cluster in
        try await bench(
          try ConnectionTarget(cluster.connectionString()),
          socket: ServerSocket(directory: cluster.socketDirectory, port: cluster.port),
          options: options,
          stop: stop
        )
      }
    }
    withExtendedLifetime(interrupts) {}
    try show(report)
    try Self.blocking {
      try page?.write(BenchPage(report).html())
      try tables?.write(BenchTable(report: report).rendered(.plain).string)
    }
    guard report.isRight else { throw CommandEnd(status: .internalFailure) }
  }

  private func bench(
    _ target: ConnectionTarget,
    socket: ServerSocket? = nil,
    options: BenchOptions,
    stop: StopSignal
  ) async throws -> BenchReport {
    let display = BenchProgress(isQuiet: database.quiet)
    display.begin(target)
    do {
      return try await onThreadOfItsOwn {
        try Bench(target: target, socket: socket, options: options, stop: stop).run { display.show($0) }
      }
    } catch BenchError.interrupted {
      throw CommandEnd(status: ExitStatus(signal: stop.signal ?? 2))
    }
  }

  /// Starts a private server with as much memory as the workloads want.
  private func withPrivateServer(
    _ options: BenchOptions,
    _ body: (PrivateCluster) async throws -> BenchReport
  ) async throws -> BenchReport {
    guard options.workloads.contains(where: \.isCold) else {
      return try await PrivateCluster.with(ClusterOptions(settings: Self.privateSettings), body)
    }
    let memory = "\(options.coldBufferByteCount >> 10)kB"
    let settings = Self.privateSettings.merging(
      ["shared_buffers": memory, "effective_cache_size": memory, "maintenance_work_mem": "64MB", "work_mem": "4MB"]
    ) { $1 }
    let cluster: PrivateCluster
    do {
      // So that a page that is not in the buffers comes from the disk: from 16 on, where the file system can do it.
      cluster = try await .start(ClusterOptions(settings: settings.merging(["debug_io_direct": "data"]) { $1 }))
    } catch is PrivateClusterError {
      cluster = try await .start(ClusterOptions(settings: settings))
    }
    do {
      let report = try await body(cluster)
      await cluster.stop()
      return report
    } catch {
      await cluster.stop()
      throw error
    }
  }

  /// Beside the throw-away settings (no fsync, no full-page writes): memory and log so large that nothing waits for a
  /// checkpoint. What is compared is work; what a disk makes of it is measured on a server of one's own.
  private static let privateSettings = [
    "shared_buffers": "1GB", "max_wal_size": "16GB", "checkpoint_timeout": "30min", "maintenance_work_mem": "256MB",
    "work_mem": "64MB",
  ]

  private func resolve() throws -> BenchOptions {
    guard database.table.isEmpty, database.stagingSchema == nil, database.productionSchema == nil,
      database.adminSchema == nil
    else {
      throw MergeFailure.usage("bench uses its own tables and schemas: leave out --table and the schema options.")
    }
    var options = BenchOptions()
    options.rowCount = rows ?? options.rowCount
    options.workloads = workload.isEmpty ? options.workloads : workload
    options.contenderFilter = contender.isEmpty ? nil : contender
    options.repetitions = repetitions ?? options.repetitions
    options.timeLimitMinutes = timeLimit ?? options.timeLimitMinutes
    options.productionRowCount = productionRows
    options.connections = connections ?? options.connections
    options.batchRows = batch ?? options.batchRows
    options.seed = seed ?? options.seed
    options.label = label
    try UsageCheck.range(options.rowCount, 100...100_000_000, flag: "--rows", rule: "from 100 to 100000000")
    try UsageCheck.range(options.repetitions, 1...100, flag: "--repeat", rule: "from 1 to 100")
    try UsageCheck.range(options.timeLimitMinutes, 1...1440, flag: "--time-limit", rule: "from 1 to 1440 minutes")
    try UsageCheck.range(
      productionRows ?? options.largestStagedRowCount,
      options.largestStagedRowCount...1_000_000_000,
      flag: "--production-rows",
      rule: "from the \(options.largestStagedRowCount) rows of staging to 1000000000"
    )
    try UsageCheck.range(options.connections, 1...64, flag: "--connections", rule: "from 1 to 64")
    try UsageCheck.range(options.batchRows, MergeLimits.batchRows, flag: "--batch", rule: "from 1 to 10000000 rows")
    if options.workloads.contains(where: \.isCold), !options.workloads.allSatisfy(\.isCold) {
      throw MergeFailure.usage(
        "--workload cold and cold-ordered are measured on a server with little memory: measure the other workloads in a separate run."
      )
    }
    // By the newest server, so that a name that no server knows is told before one is asked.
    _ = try options.contenders(serverVersionNumber: .max)
    return options
  }

  private static func blocking(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch let failure as AtomicFile.Failure {
      throw MergeFailure.blocked([Finding(grade: .blocker, table: nil, message: "\(failure)")])
    }
  }

  private func show(_ report: BenchReport) throws {
    if database.json { return try StandardOutput.write(json: report) }
    StandardOutput.write(BenchTable(report: report).rendered(StandardOutput.style))
  }
}

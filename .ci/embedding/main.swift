import Foundation
import MergeEngine

/// What did not come out as it should.
struct Unexpected: Error {
  let what: String
}

func expect(_ condition: Bool, _ what: String) throws {
  guard condition else { throw Unexpected(what: what) }
}

// 60,000 staging rows, half of them new and half newer than production's; see .ci/embed.
let rowCount = 60_000
let database = try ConnectionDescription(CommandLine.arguments[1])
let folder = URL(filePath: CommandLine.arguments[2])
let merger = Merger(database)

_ = try await merger.initialise()
try expect(try await obstacles(merger).isEmpty, "nothing should stand against the merge")
let plan = try await merger.plan()
try expect(plan.totals.inserted == rowCount / 2 && plan.totals.updated == rowCount / 2, "the plan says \(plan.totals)")

// Cancelled in the middle, as soon as there is a middle.
var options = MergeOptions()
options.batchRows = 1000
options.maxRowsPerSecond = 6000
let updates = ProgressUpdates()
let slowly = options
let merging = Task { try await merger.merge(options: slowly, progress: updates) }
for await progress in updates where progress.tables.contains(where: { $0.counts.batches > 0 }) { merging.cancel() }
let first = try await merging.value
let left = try await merger.status().tables[0].pending
print("cancelled after \(first.totals.read) rows of \(rowCount), \(left) are left")
try expect(first.status == .aborted, "the run is \(first.status.rawValue)")
try expect(
  first.totals.read > 0 && left == rowCount - first.totals.read,
  "\(first.totals.read) read, \(left) left"
)
var reports = [first]
do {
  reports.append(try await merge(merger, slowly, atMost: .seconds(2)))
} catch is CancellationError {
  // The machine was so slow that there was no run yet.
}

// And on to the exact end.
options.maxRowsPerSecond = nil
let second = try await mergeShowingProgress(merger, options)
try expect(second.status == .success && second.pending == 0, "the run is \(second.status.rawValue)")
reports.append(second)
let read = reports.reduce(0) { $0 + $1.totals.read }
let inserted = reports.reduce(0) { $0 + $1.totals.inserted }
try expect(read == rowCount && inserted == rowCount / 2, "\(read) rows read, \(inserted) inserted")
try expect(try await compareAndMend(merger, differences: folder.appending(path: "differences").path), "rows differ")
try await rehearse(folder.appending(path: "snapshot"), from: database, on: database)
try expect(try await mergeWhatWasLoaded(into: database).totals.read == 0, "there should be nothing left")

let nowhere = Merger(try production { "no token" })
do {
  _ = try await nowhere.status()
  throw Unexpected(what: "db.example answered")
} catch let error as MergeError {
  try expect(isWorthRepeating(error), "\(error)")
}
print("merged, cancelled, gone on with, verified and replayed: \(rowCount) rows, each once")

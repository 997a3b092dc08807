import AllocationCounter
import Foundation

// What the client does with a batch, station by station. Allocations are held to a threshold; nanoseconds are only
// printed, since they are another machine's tomorrow.
//
// In the steady state, with the memory that an earlier batch has left behind, no station may allocate for a row. The sort
// keeps a list of runs and a buffer of its own, some dozens of allocations for any batch, so the threshold is one in a
// thousand rows. It ends with 1 when a station is above it.

let rowCount = 50_000
let allowedAllocationCount = UInt64(rowCount / 1000)

/// Runs a station with warm memory.
func measure(_ station: Station) throws -> (allocationCount: UInt64, nanosecondsPerRow: Int) {
  var bench = try StationBench(rowCount: rowCount)
  // The first round grows the memory that the second finds.
  try bench.run(station)
  let before = allocationCountOfThisThread()
  let start = ContinuousClock.now
  try bench.run(station)
  let nanoseconds = (ContinuousClock.now - start) / .nanoseconds(1)
  return (allocationCountOfThisThread() - before, Int(nanoseconds) / rowCount)
}

let before = allocationCountOfThisThread()
let arrays = (0..<1000).map { [UInt8](repeating: 1, count: $0 + 1) }
guard allocationCountOfThisThread() &- before >= UInt64(arrays.count) else {
  print("allocations can't be counted here: that needs glibc")
  exit(1)
}

var isExceeded = false
print("station, \(rowCount) rows: allocations (\(allowedAllocationCount) allowed), nanoseconds a row")
for station in Station.allCases {
  let result = try measure(station)
  let isTooMany = result.allocationCount > allowedAllocationCount
  isExceeded = isExceeded || isTooMany
  print(
    "\(station.rawValue): \(result.allocationCount)\(isTooMany ? " TOO MANY" : ""), \(result.nanosecondsPerRow) ns"
  )
}
exit(isExceeded ? 1 : 0)

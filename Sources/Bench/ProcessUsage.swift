import Foundation

/// What this process has used: CPU time, and memory at its peak.
struct ProcessUsage {
  /// User and system time of all threads.
  let cpuSeconds: Double

  static func now() -> ProcessUsage {
    var usage = rusage()
    _ = unsafe getrusage(ownProcess, &usage)
    return ProcessUsage(cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime))
  }

  /// Gives freed memory back, so that it is nobody's later, and forgets the peak so far, where the system can: <https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html>.
  ///
  /// - Returns: whether ``peakResidentBytes()`` now speaks of the time since.
  static func resetPeak() -> Bool {
    #if canImport(Glibc)
      // What the floor had fetched stays with the allocator, which would count as the next contender's.
      trim()
    #endif
    guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return false }
    return (try? file.write(contentsOf: Data("5".utf8))) != nil
  }

  #if canImport(Glibc)
    /// glibc's `malloc_trim`, which Swift's module of glibc lacks: <https://man7.org/linux/man-pages/man3/malloc_trim.3.html>.
    private static func trim() {
      guard let symbol = unsafe dlsym(nil, "malloc_trim") else { return }
      // Safe: it is declared as `int malloc_trim(size_t pad)`, and may be called at any time by any thread.
      _ = unsafe unsafeBitCast(symbol, to: (@convention(c) (Int) -> CInt).self)(0)
    }
  #endif

  /// The most memory that this process has held resident; nil where the system does not say.
  static func peakResidentBytes() -> Int? {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
      let kibibytes = line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) })
    else { return nil }
    return kibibytes * 1024
  }

  // glibc has it as an enumeration, which C, but not Swift, takes for an integer.
  #if os(Linux)
    private static let ownProcess = __rusage_who_t(RUSAGE_SELF.rawValue)
  #else
    private static let ownProcess = RUSAGE_SELF
  #endif

  private static func seconds(_ time: timeval) -> Double {
    Double(time.tv_sec) + Double(time.tv_usec) / 1e6
  }
}

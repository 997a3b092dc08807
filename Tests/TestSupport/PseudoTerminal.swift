import Foundation
import Synchronization

/// A terminal without a screen: what a program writes to it is kept, and it has a size like any other.
public final class PseudoTerminal: Sendable {
  /// Where the program's stdout goes.
  public let programSide: FileHandle
  private let ownSide: Int32
  private let written = Mutex<[UInt8]>([])

  /// No terminal could be made.
  struct Failure: Error {}

  /// Opens a terminal of that size.
  public init(rows: UInt16, columns: UInt16) throws {
    ownSide = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY)
    guard ownSide >= 0 else { throw Failure() }
    // What unlockpt and ptsname do; glibc hides them from Swift (TIOCSPTLCK and TIOCGPTN in asm-generic/ioctls.h).
    var lock: Int32 = 0
    var number: UInt32 = 0
    guard unsafe ioctl(ownSide, 0x4004_5431, &lock) == 0, unsafe ioctl(ownSide, 0x8004_5430, &number) == 0 else {
      throw Failure()
    }
    let other = unsafe open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    guard other >= 0 else { throw Failure() }
    programSide = FileHandle(fileDescriptor: other, closeOnDealloc: true)
    resize(rows: rows, columns: columns)
    Thread { [self] in keepReading() }.start()
  }

  /// Changes the window's size.
  public func resize(rows: UInt16, columns: UInt16) {
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    _ = unsafe ioctl(ownSide, UInt(TIOCSWINSZ), &size)
  }

  /// All that was written so far.
  public var text: String { written.withLock { String(decoding: $0, as: UTF8.self) } }

  private func keepReading() {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe read(ownSide, &buffer, buffer.count)
      guard count > 0 else { return }
      written.withLock { $0 += buffer.prefix(count) }
    }
  }
}

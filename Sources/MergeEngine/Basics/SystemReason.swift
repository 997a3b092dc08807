import Foundation

/// What the system says of a call that failed, as `Permission denied`.
package enum SystemReason {
  package static func of(_ number: Int32) -> String { unsafe String(cString: strerror(number)) }

  /// Foundation says that a file could not be saved; why stands below that.
  package static func of(_ error: any Error) -> String {
    if let failure = error as? OutputFolder.Failure { return failure.reason }
    let inner = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError ?? error as NSError
    // Of a file that is not there no system call says so.
    if inner.domain == NSCocoaErrorDomain, inner.code == CocoaError.fileReadNoSuchFile.rawValue { return of(ENOENT) }
    guard inner.domain == NSPOSIXErrorDomain else { return error.localizedDescription }
    return of(Int32(inner.code))
  }
}

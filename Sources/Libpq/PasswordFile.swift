import CLibpq

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The file that libpq looks passwords up in.
///
/// One that others may read it does not use, and says so on stderr, past whoever reads messages there as JSON. So it is looked
/// at here first.
///
/// Source: <https://www.postgresql.org/docs/current/libpq-pgpass.html>
enum PasswordFile {
  /// A name that leads to no file, and so to no message.
  static let none = "/dev/null/.pgpass"

  /// The file that libpq would refuse; nil if it would refuse none.
  static func refused(_ target: ConnectionTarget) -> String? {
    guard let path = target.passwordFile ?? text(getenv("PGPASSFILE")) ?? text(getenv("HOME")).map({ $0 + "/.pgpass" })
    else { return nil }
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    let isPlain = status.st_mode & S_IFMT == S_IFREG
    let isOpen = status.st_mode & (S_IRWXG | S_IRWXO) != 0
    return !isPlain || isOpen ? path : nil
  }

  private static func text(_ value: UnsafeMutablePointer<CChar>?) -> String? {
    value.map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}

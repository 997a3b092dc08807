import Foundation

/// The environment of the programs that are started: the `aws` command, commands that fetch a password or are told of the end.
///
/// They get what such programs need and nothing else, so that a variable with a secret in it, as `DATABASE_URL` or `PGPASSWORD`,
/// reaches nobody by chance. This is the one place where that is decided.
public enum ChildEnvironment {
  /// Who runs it, where its files and programs are, which language it speaks.
  private static let names: Set<String> = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "TERM", "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH", "SSH_AUTH_SOCK",
    // The way to the network, and whose certificates count there.
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
  ]

  /// Credentials, profiles, regions and endpoints of the clouds whose commands hand out passwords; secret stores; locales;
  /// where programs keep their configuration (XDG Base Directory Specification).
  private static let prefixes = ["AWS_", "LC_", "XDG_", "VAULT_", "GOOGLE_", "CLOUDSDK_", "AZURE_"]

  /// What of `environment` is handed on.
  public static func allowed(of environment: [String: String] = ProcessInfo.processInfo.environment) -> [String: String]
  {
    environment.filter { name, _ in names.contains(name) || prefixes.contains(where: name.hasPrefix) }
  }
}

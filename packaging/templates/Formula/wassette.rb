class Wassette < Formula
  desc "@SUMMARY@"
  homepage "@REPOSITORY@"
  version "@VERSION@"
  license "@LICENCE@"

  on_macos do
    on_arm do
      url "@REPOSITORY@/releases/download/v@VERSION@/wassette-@VERSION@-macos-aarch64.tar.gz"
      sha256 "@SHA256:wassette-VERSION-macos-aarch64.tar.gz@"
    end
    on_intel do
      url "@REPOSITORY@/releases/download/v@VERSION@/wassette-@VERSION@-macos-x86_64.tar.gz"
      sha256 "@SHA256:wassette-VERSION-macos-x86_64.tar.gz@"
    end
  end

  on_linux do
    on_arm do
      url "@REPOSITORY@/releases/download/v@VERSION@/wassette-@VERSION@-linux-aarch64.tar.gz"
      sha256 "@SHA256:wassette-VERSION-linux-aarch64.tar.gz@"
    end
    on_intel do
      url "@REPOSITORY@/releases/download/v@VERSION@/wassette-@VERSION@-linux-x86_64.tar.gz"
      sha256 "@SHA256:wassette-VERSION-linux-x86_64.tar.gz@"
    end
  end

  def install
    share_files = libexec/"share"
    libexec.install Dir["*"]
    bin.install_symlink libexec/"wassette"
    man1.install_symlink share_files/"wassette.1"
    bash_completion.install_symlink share_files/"wassette.bash" => "wassette"
    zsh_completion.install_symlink share_files/"wassette.zsh" => "_wassette"
    fish_completion.install_symlink share_files/"wassette.fish"
  end

  service do
    run [opt_bin/"wassette", "serve", "--http"]
    keep_alive true
  end

  test do
    assert_match "wassette #{version}", shell_output("#{bin}/wassette --version")
    ENV["XDG_DATA_HOME"] = testpath.to_s
    system bin/"wassette", "component", "load", "starter:toolbox"
    assert_match "hash", shell_output("#{bin}/wassette tool list")
  end
end

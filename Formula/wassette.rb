class Wassette < Formula
  desc "Runs untrusted MCP tools as WebAssembly components, in a sandbox"
  homepage "https://github.com/wassette-desktop/wassette-desktop"
  version "0.1.0"
  license "MIT"

  on_macos do
    on_arm do
      url "https://github.com/wassette-desktop/wassette-desktop/releases/download/v0.1.0/wassette-0.1.0-macos-aarch64.tar.gz"
      sha256 "0000000000000000000000000000000000000000000000000000000000000000"
    end
    on_intel do
      url "https://github.com/wassette-desktop/wassette-desktop/releases/download/v0.1.0/wassette-0.1.0-macos-x86_64.tar.gz"
      sha256 "0000000000000000000000000000000000000000000000000000000000000000"
    end
  end

  on_linux do
    on_arm do
      url "https://github.com/wassette-desktop/wassette-desktop/releases/download/v0.1.0/wassette-0.1.0-linux-aarch64.tar.gz"
      sha256 "0000000000000000000000000000000000000000000000000000000000000000"
    end
    on_intel do
      url "https://github.com/wassette-desktop/wassette-desktop/releases/download/v0.1.0/wassette-0.1.0-linux-x86_64.tar.gz"
      sha256 "0000000000000000000000000000000000000000000000000000000000000000"
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

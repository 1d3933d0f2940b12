# As much of Homebrew's DSL as a formula and a cask of ours use: it loads them, runs `install` in a
# directory, and prints what they say as JSON. Anything else they call fails.
require "json"
require "pathname"
require "fileutils"

FACTS = { "urls" => {}, "methods" => [] } # rubocop:disable Style/MutableConstant

module Platforms
  %w[macos linux arm intel].each do |name|
    define_method(:"on_#{name}") do |&block|
      (@where ||= []).push(name)
      block.call
      @where.pop
    end
  end

  def url(text) = FACTS["urls"][(@where || []).join("-")] = { "url" => text }
  def sha256(text) = FACTS["urls"][(@where || []).join("-")]["sha256"] = text
end

class Pathname
  def install(*sources)
    FileUtils.mkdir_p(self)
    sources.flatten.each { |source| FileUtils.mv(source, self) }
  end

  def install_symlink(source)
    FileUtils.mkdir_p(self)
    pairs = source.is_a?(Hash) ? source : { source => Pathname(source).basename }
    pairs.each do |from, to|
      raise "#{from} is not there" unless File.exist?(from)

      FileUtils.ln_s(from, self / to)
    end
  end
end

class Formula
  extend Platforms

  class << self
    %i[desc homepage version license].each do |name|
      define_method(name) { |text| FACTS[name.to_s] = text }
    end

    def service(&block) = FACTS["service"] = Service.new.tap { |one| one.instance_eval(&block) }.facts
    def test(&block) = FACTS["test"] = !block.nil?
  end

  class Service
    attr_reader :facts

    def initialize = @facts = {}
    def run(command) = @facts["run"] = command.map(&:to_s)
    def keep_alive(value) = @facts["keep_alive"] = value
    def opt_bin = Pathname("/opt/bin")
  end

  PREFIX = Pathname(ENV.fetch("PREFIX", "/nowhere"))
  { bin: "bin", libexec: "libexec", man1: "share/man/man1", bash_completion: "etc/bash_completion.d",
    zsh_completion: "share/zsh/site-functions", fish_completion: "share/fish/vendor_completions.d" }
    .each { |name, place| define_method(name) { PREFIX / place } }
end

class Cask
  %i[version name desc homepage depends_on app binary uninstall zap].each do |name|
    define_method(name) do |*values|
      return FACTS[name.to_s] if values.empty?

      FACTS[name.to_s] = values.first
    end
  end

  def arch(**values) = values.empty? ? @arch : @arch = values.fetch(:arm)
  def sha256(**values) = FACTS["sha256"] = values
  def url(text) = FACTS["url"] = text
  def appdir = "/Applications"
end

def cask(token, &block)
  FACTS["token"] = token
  Cask.new.instance_eval(&block)
end

load File.expand_path(ARGV.fetch(0))
if ARGV[1] == "install"
  Wassette.new.install
end
puts JSON.generate(FACTS)

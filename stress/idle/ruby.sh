#!/bin/bash
# packages: ruby
# limit: 180
#
# Ruby's strings, arrays and hashes that come and go in eight threads; the
# heap of its own stands beside malloc.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
begin

cat >load.rb <<'RUBY'
require 'zlib'
$stdout.sync = true
threads = 8.times.map do |t|
  Thread.new do
    random = Random.new(t)
    kept = {}
    60_000.times do |i|
      kept[random.rand(4000)] = 'x' * (random.rand(100) + 30) * (i % 60 + 1)
      Zlib::Deflate.deflate(kept.values.first * 20) if i % 200 == 0
    end
  end
end
threads.each(&:join)
GC.start
puts 'worked'
sleep
RUBY
spawn server ruby load.rb
await_work 120
settle

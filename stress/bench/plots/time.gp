# Memory over time: a small picture a load, a line an allocator, and in black
# what is live.
rows = (blocks + 2) / 3
set terminal svg size 1300, 60 + 260 * rows dynamic background "#ffffff"
set output out
set style data lines
set multiplot layout rows, 3 title "resident MiB over seconds; black: live"
set yrange [0:*]
do for [b = 0 : blocks - 1] {
	first = b * nr
	stats data index first every ::0::0 using (name = strcol(1), 0) nooutput
	set title name offset 0, -0.6
	if (b == 0) { set key inside right center font ",7" samplen 1 } else {
		unset key
	}
	plot for [i = 0 : nr - 1] data index first + i skip 1 using 1:3 \
			lw 1.5 lc rgb colour[i + 1] \
			title word(names, i + 1), \
		data index first skip 1 using 1:2 lw 2 lc rgb "#000000" \
			title "live"
}
unset multiplot

# Instructions and cache lines of a malloc and a free, of growth.py.
# Set before: data, out.
set terminal svg size 1100, 460 dynamic background "#ffffff"
set output out
set multiplot layout 1, 3
set logscale x 2
set logscale y 10
set format y "%g"
set key below vertical font ",9"
titles = "'crowd: CPUs at work' 'heap: MiB' 'large: MiB'"
do for [b = 0 : 2] {
	stats data index b using 1:2 nooutput
	set title word(titles, b + 1)
	set xtics 1, 8
	set yrange [0.001 : 16384]
	plot data index b using 1:2 lw 2 pt 7 ps 0.5 lc rgb "#d62728" \
		title "instructions", \
		data index b using 1:3 lw 2 pt 7 ps 0.5 lc rgb "#1f77b4" \
		title "lines into a cache of 48 KiB", \
		data index b using 1:4 lw 2 pt 7 ps 0.5 lc rgb "#7f7f7f" \
		title "lines from memory"
}
unset multiplot

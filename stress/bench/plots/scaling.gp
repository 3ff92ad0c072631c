# Throughput over the number of threads, one small picture a load.
rows = (blocks + 3) / 4
set terminal svg size 1200, 60 + 220 * rows dynamic background "#ffffff"
set output out
set multiplot layout rows, 4 title \
	"million operations a second over threads"
set logscale x 2
set xrange [0.9:600]
set yrange [0:*]
set xtics (1, 2, 8, 64, 512)
do for [b = 0 : blocks - 1] {
	stats data index b every ::0::0 using (name = strcol(1), 0) nooutput
	set title name offset 0, -0.6
	if (b == 0) { set key inside left top font ",7" samplen 1 } else {
		unset key
	}
	plot for [i = 2 : nr + 1] data index b skip 0 using 1:i lw 1.5 pt 7 \
		ps 0.4 lc rgb colour[i - 1] title columnheader(i)
}
unset multiplot
